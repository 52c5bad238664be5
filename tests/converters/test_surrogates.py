"""What is told about gradients that are not those of the values, and about uses that an operator refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxray.converters import TwinError, open_model
from onnxray.converters.surrogates import surrogates

Build = Callable[..., Path]
X = np.random.default_rng(0).random((5, 4), dtype=np.float32)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ("y = Cast<to = 11>(x)", ()),  # to double
        ("b = Cast<to = 2>(x)  y = Cast<to = 1>(b)", ("Cast (straight-through)",)),  # to bytes and back
        ("k = Round(c)  y = Mul(x, k)", ()),
        ("r = Round(x)  y = Mul(r, c)", ("Round (straight-through)",)),
        ("s = Shape(x)  f = Cast<to = 1>(s)  g = Floor(f)  t = Cast<to = 7>(g)  y = Reshape(x, t)", ()),
        ("m = ArgMax<axis = 1>(x)  i = Cast<to = 6>(m)  f = Cast<to = 1>(i)  y = Add(x, f)", ()),
    ],
)
def test_surrogates(build: Build, nodes: str, expected: tuple[str, ...]) -> None:
    path = build(f"(float[N,4] x) => (float[N,4] y) {{ {nodes} }}", c=(4,))
    assert surrogates(onnx.load(path)) == expected


def test_integer_inputs_have_no_gradient_to_falsify(build: Build) -> None:
    path = build("(uint8[N,4] x) => (float[N,4] y) { i = Cast<to = 6>(x)  y = Cast<to = 1>(i) }")
    assert surrogates(onnx.load(path)) == ()


def test_a_refused_use_is_told_with_its_node_when_the_twin_is_built(build: Build) -> None:
    path = build(
        "(float[N,4] x) => (float[N,3] y) { a, m = Dropout(x, half, yes)  y = MatMul(a, w) }",
        w=(4, 3), half=np.array(0.5, np.float32), yes=np.array(True),
    )  # fmt: skip
    words = r"no torch twin: Dropout: Dropout in training mode; export the model for inference$"
    with pytest.raises(TwinError, match=words):
        open_model(path).build_twin(X)
