"""Slice against Python's own slicing, which onnxruntime follows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnxray.converters import open_model

Build = Callable[..., Path]
X = np.random.default_rng(0).standard_normal((6, 5, 4), dtype=np.float32)
CUTS = {
    "one axis": ([1], [4], [1], [1], X[:, 1:4]),
    "negative bounds": ([-3], [-1], [-2], [1], X[:, -3:-1]),
    "over the end": ([2], [2**31], [2], [1], X[:, :, 2:]),
    "steps": ([0, 3], [5, 0], [1, 2], [2, -1], X[:, ::2, 3:0:-1]),
    "backwards to the start": ([-1], [-(2**31)], [1], [-2], X[:, ::-2]),
}


@pytest.mark.parametrize(("starts", "ends", "axes", "steps", "expected"), CUTS.values(), ids=CUTS)
def test_slice(
    build: Build, starts: list[int], ends: list[int], axes: list[int], steps: list[int], expected: np.ndarray
) -> None:
    bounds = {name: np.array(value, np.int64) for name, value in zip("sead", (starts, ends, axes, steps), strict=True)}
    path = build("(float[N,5,4] x) => (float[N,K] y) { c = Slice(x, s, e, a, d)  y = Flatten(c) }", **bounds)
    model = open_model(path)
    np.testing.assert_array_equal(model.run(X), expected.reshape(6, -1))
    assert model.build_twin(X).max_difference == 0


def test_slice_with_attributes(build: Build) -> None:
    cut = "c = Slice<starts = [1, -2], ends = [4, 9], axes = [1, 2]>(x)"
    path = build(f"(float[N,5,4] x) => (float[N,K] y) {{ {cut}  y = Flatten(c) }}", opset=9)
    assert open_model(path).build_twin(X).max_difference == 0
