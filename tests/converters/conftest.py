"""Tiny ONNX files, written in ONNX's own text format with seeded weights."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

Build = Callable[..., Path]


def _weight(name: str, value: NDArray[np.generic] | tuple[int, ...]) -> TensorProto:
    if isinstance(value, tuple):
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        value = rng.standard_normal(value, dtype=np.float32) / np.float32(np.sqrt(value[0]))
    return numpy_helper.from_array(value, name)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return ``build(text, opset=17, name="model.onnx", **weights)``: writes the graph and returns its path.

    A weight is an array, or a shape that is filled with seeded normal values.
    """

    def write(text: str, opset: int = 17, name: str = "model.onnx", **weights: NDArray[np.generic]) -> Path:
        model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> net {text}')
        model.graph.initializer.extend(_weight(key, value) for key, value in weights.items())
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture
def linear(build: Build) -> Path:
    """4 x 4 grey images to three logits."""
    return build("(float[N,1,4,4] x) => (float[N,3] y) { f = Flatten(x)  y = MatMul(f, w) }", w=(16, 3))
