"""Slice, whose bounds onnxruntime clips as Python does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxray.converters.operators.slicing import slice_

X = np.random.default_rng(0).standard_normal((6, 5, 4), dtype=np.float32)
Same = Callable[..., tuple[torch.Tensor, ...]]
CUTS = {
    "one axis": ([1], [4], [1], [1], X[:, 1:4]),
    "negative bounds": ([-3], [-1], [-2], [1], X[:, -3:-1]),
    "over the end": ([2], [2**31], [2], [1], X[:, :, 2:]),
    "to the largest int64": ([0], [2**63 - 1], [0], [2], X[::2]),
    "steps": ([0, 3], [5, 0], [1, 2], [2, -1], X[:, ::2, 3:0:-1]),
    "backwards to the start": ([-1], [-(2**31)], [1], [-2], X[:, ::-2]),
    "backwards from over the end": ([99], [-(2**63)], [0], [-3], X[::-3]),
    "nothing": ([3], [3], [0], [1], X[3:3]),
    "nothing backwards": ([1], [3], [0], [-1], X[1:3:-1]),
}


@pytest.mark.parametrize("opset", [10, 11, 13])
@pytest.mark.parametrize(("starts", "ends", "axes", "steps", "expected"), CUTS.values(), ids=CUTS)
def test_slice(
    same: Same, opset: int, starts: list[int], ends: list[int], axes: list[int], steps: list[int],
    expected: np.ndarray,
) -> None:  # fmt: skip
    (got,) = same("Slice", X, *(np.array(bounds, np.int64) for bounds in (starts, ends, axes, steps)), opset=opset)
    np.testing.assert_array_equal(got, expected)


def test_slice_with_attributes(same: Same) -> None:
    same("Slice", X, opset=9, starts=[1, -2], ends=[4, 9], axes=[1, 2])
    same("Slice", X, opset=9, starts=[1, 1], ends=[4, 2])


def test_first_axes_and_steps_of_one_by_default(same: Same) -> None:
    same("Slice", X, np.array([1, 2]), np.array([3, 9]))


@settings(max_examples=200, deadline=None)
@given(st.integers(-8, 8), st.integers(-8, 8), st.integers(-3, 3).filter(bool), st.integers(0, 5))
def test_slice_as_python_does(start: int, end: int, step: int, size: int) -> None:
    assert slice_(torch.arange(size), (start,), (end,), None, (step,)).tolist() == list(range(size))[start:end:step]


def test_a_cut_is_a_view() -> None:
    x = torch.from_numpy(X)
    assert slice_(x, (1, 0), (5, 4), (0, 2), (2, 1)).untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


def test_gradient() -> None:
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: slice_(v, (3, 1), (-9, 3), (0, 1), (-2, 1)), x)
