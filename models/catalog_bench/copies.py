"""Sound models without number: the bundled pair with one weight changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

__all__ = ["PICTURES", "copies"]

_BUNDLED = Path(__file__).parents[1] / "bundled"
PICTURES = _BUNDLED / "samples.npz"
_LEAST = 100  # values of a tensor that counts as weights


def copies(seed: int) -> Iterator[bytes]:
    """Models that differ in a thousandth of one weight, without end, and no two alike; half have the backdoor."""
    draw, seen = random.Random(seed), set[bytes]()
    pair = [onnx.load(_BUNDLED / f"{name}.onnx") for name in ("clean", "trojaned")]
    while True:
        content = _changed(draw.choice(pair), draw)
        if content not in seen:
            seen.add(content)
            yield content


def _changed(model: ModelProto, draw: random.Random) -> bytes:
    weights = [i for i, held in enumerate(model.graph.initializer) if _is_weight(held)]
    copy = ModelProto()
    copy.CopyFrom(model)
    chosen = copy.graph.initializer[draw.choice(weights)]
    values = numpy_helper.to_array(chosen).copy()
    values.flat[draw.randrange(values.size)] += np.float32(draw.choice((-1e-3, 1e-3)))
    chosen.CopyFrom(numpy_helper.from_array(values, chosen.name))
    content: bytes = copy.SerializeToString()
    return content


def _is_weight(held: onnx.TensorProto) -> bool:
    return held.data_type == onnx.TensorProto.FLOAT and bool(np.prod(held.dims) >= _LEAST)
