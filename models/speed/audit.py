"""``onnxray bench audit``: how long an audit of a large model takes beside reading and hashing the file."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["audit", "large_model", "measure"]

_WIDTH = 512


@click.command()
@click.option("--megabytes", type=click.IntRange(min=1), default=100, show_default=True, help="Size of the model.")
@click.option("--rounds", type=click.IntRange(min=1), default=9, show_default=True, help="Of each, taking turns.")
def audit(megabytes: int, rounds: int) -> None:
    """Time the audit of a large model beside reading and hashing it; the file is in the system's cache for both.

    A network of fully connected layers with random weights is written to a temporary folder; every static rule runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.onnx"
        path.write_bytes(large_model(megabytes).SerializeToString())
        read, audited, ratio = measure(path, rounds)
        size = path.stat().st_size / 1e6
    click.echo(
        f"{size:.0f} MB   read and hashed in {read * 1e3:.0f} ms, audited in {audited * 1e3:.0f} ms: {ratio:.2f} times"
    )


def large_model(megabytes: int) -> ModelProto:
    """So many megabytes of fully connected layers."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    layers = max(1, megabytes * 1_000_000 // (_WIDTH * _WIDTH * 4))
    nodes, weights = [], []
    for i in range(layers):
        values = rng.standard_normal((_WIDTH, _WIDTH), dtype=np.float32) / np.float32(_WIDTH**0.5)
        weights.append(numpy_helper.from_array(values, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [f"h{i}", f"w{i}"], [f"p{i}"], name=f"layer{i}"))
        nodes.append(helper.make_node("Relu", [f"p{i}"], [f"h{i + 1}"]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", _WIDTH]) for n in ("h0", f"h{layers}")]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model


def measure(path: Path, rounds: int) -> tuple[float, float, float]:
    """Median seconds of reading and hashing, of the audit, and the median of the rounds' own ratios."""
    from ...scanner.audit import audit as check
    from ...scanner.audited_file import AuditedFile

    check(AuditedFile.open(path))  # what is imported is imported now
    reads, audits = [], []
    for _ in range(rounds):
        started = perf_counter()
        hashlib.sha256(path.read_bytes()).hexdigest()
        between = perf_counter()
        check(AuditedFile.open(path))
        reads.append(between - started)
        audits.append(perf_counter() - between)
    return median(reads), median(audits), median(b / a for a, b in zip(reads, audits, strict=True))
