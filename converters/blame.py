"""Where a twin leaves the file: the first node whose output is not onnxruntime's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto

from .errors import OnnxrayError
from .graphs import copied
from .messages import one_line
from .normalize import drop_unused
from .runtime import raw_outputs
from .twin import Twin

__all__ = ["Difference", "first_difference"]


@dataclass(frozen=True)
class Difference:
    """A node that the twin computes otherwise than onnxruntime, from inputs on which both agree.

    Attributes:
        operator: such as "Resize".
        node: the node's name, or its output's where it has none.
        tensor: the output that differs.
        relative: the largest difference, in units of the output's largest absolute value; infinite for another shape.
    """

    operator: str
    node: str
    tensor: str
    relative: float

    def __str__(self) -> str:
        return f"the first difference is at {self.operator} {self.node!r}, output {self.tensor!r} ({self.relative:.2g})"


def first_difference(graph: ModelProto, twin: Twin, inputs: NDArray[Any], tolerance: float) -> Difference | None:
    """Compare every activation, in order of execution; None if no single one differs or none could be looked at.

    Args:
        graph: the file's own graph, functions inlined.
        twin: converted from it.
        inputs: (N, ...) in the model's input dtype; as many as a fixed batch takes.
        tolerance: the largest relative difference that passes.
    """
    producers = {name: node for node in graph.graph.node for name in node.output if name}
    names = [name for name in twin.tensors if name in producers]
    shown = copied(graph)
    del shown.graph.output[:]
    shown.graph.output.extend(ValueInfoProto(name=name) for name in names)
    shown = drop_unused(shown)
    try:
        expected = raw_outputs(shown.SerializeToString(), inputs, names)
    except OnnxrayError:
        return None  # some outputs, as those of a fused operator, cannot be asked for
    with torch.no_grad():
        got = _observed(twin, inputs, names)
    for name in names:
        if name in got and not (relative := _relative(got[name], expected[name])) <= tolerance:
            node = producers[name]
            return Difference(node.op_type, one_line(node.name or node.output[0]), one_line(name), relative)
    return None


def _observed(twin: Twin, inputs: NDArray[Any], names: list[str]) -> dict[str, Any]:
    """The twin's activations, up to the node at which it breaks if it does."""
    values = twin.tensor_of(inputs)
    try:
        return dict(zip(names, twin.observe(names)(values), strict=True))
    except (RuntimeError, ValueError, IndexError, TypeError):
        if len(names) == 1:
            return {}
    half = len(names) // 2
    first = _observed(twin, inputs, names[:half])
    return {**first, **_observed(twin, inputs, names[half:])} if len(first) == half else first


def _relative(got: Any, expected: Any) -> float:
    if not isinstance(got, torch.Tensor) or not isinstance(expected, np.ndarray) or expected.dtype.kind not in "fiub":
        return 0.0  # sequences and text are not compared
    if tuple(got.shape) != expected.shape:
        return float("inf")
    want, have = expected.astype(np.float64), got.double().cpu().numpy()
    same = (want == have) | (np.isnan(want) & np.isnan(have))
    if same.all():
        return 0.0
    finite = np.isfinite(want)
    scale = float(np.abs(want[finite]).max(initial=0.0)) or 1.0
    return float(np.abs(np.where(same, 0.0, have - want)).max() / scale)
