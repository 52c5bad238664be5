"""Reshape, Flatten, Squeeze, Unsqueeze, Shape, Expand and Tile, old versions included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators.shape import expand, flatten, reshape, squeeze

X = np.random.default_rng(0).standard_normal((2, 3, 4), dtype=np.float32)
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize("opset", [5, 13, 14, 21])
@pytest.mark.parametrize("shape", [(0, -1), (4, 0, 2), (24,), (-1, 1, 2)])
def test_reshape(same: Same, opset: int, shape: tuple[int, ...]) -> None:
    same("Reshape", X, np.array(shape), opset=max(opset, 7))


def test_reshape_with_the_shape_as_attribute() -> None:
    from onnxray.converters.operators import find

    first = find("", "Reshape", 4)
    assert first is not None
    assert first.function(torch.from_numpy(X), shape=(0, 12)).shape == (2, 12)


def test_reshape_allows_zero(same: Same) -> None:
    empty = np.zeros((0, 3), np.float32)
    assert same("Reshape", empty, np.array([3, 0]), allowzero=1)[0].shape == (3, 0)
    assert same("Reshape", empty, np.array([0, 3, 1]))[0].shape == (0, 3, 1)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -3])
def test_flatten(same: Same, axis: int) -> None:
    same("Flatten", X, opset=13, axis=axis)


def test_flatten_of_nothing(same: Same) -> None:
    assert same("Flatten", np.zeros((0, 3, 4), np.float32))[0].shape == (0, 12)


@pytest.mark.parametrize("axes", [None, [0], [0, -2], [2]])
def test_squeeze_and_unsqueeze(same: Same, axes: list[int] | None) -> None:
    x = np.ones((1, 3, 1, 2), np.float32)
    same("Squeeze", x, None if axes is None else np.array(axes), opset=13)
    same("Squeeze", x, opset=11, **({} if axes is None else {"axes": axes}))
    if axes:
        same("Unsqueeze", X, opset=11, axes=axes)
        same("Unsqueeze", X, np.array(axes), opset=13)


def test_unsqueeze_counts_in_the_output(same: Same) -> None:
    assert same("Unsqueeze", X, np.array([4, 0]))[0].shape == (1, 2, 3, 4, 1)


@pytest.mark.parametrize("cut", [{}, {"start": 1}, {"end": -1}, {"start": -2, "end": 9}, {"start": 2, "end": 1}])
def test_shape(same: Same, cut: dict[str, int]) -> None:
    assert same("Shape", X, opset=15, **cut)[0].dtype == torch.int64


def test_size(same: Same) -> None:
    assert same("Size", X)[0].shape == ()


def test_expand_goes_both_ways(same: Same) -> None:
    x = X[:, :1]
    assert same("Expand", x, np.array([5, 1, 3, 1]), opset=8)[0].shape == (5, 2, 3, 4)


def test_tile(same: Same) -> None:
    same("Tile", X, np.array([2, 1, 3]), opset=6 + 1)
    same("Tile", X, np.array([1, 0, 1]))


def test_tile_along_one_axis() -> None:
    from onnxray.converters.operators import find

    first = find("", "Tile", 5)
    assert first is not None
    assert torch.equal(first.function(torch.from_numpy(X), 2, 1), torch.from_numpy(np.tile(X, (1, 2, 1))))


def test_shapes_that_arrive_as_floats() -> None:
    assert reshape(torch.from_numpy(X), torch.tensor([6.0, 4.0])).shape == (6, 4)


def test_no_copies() -> None:
    x = torch.from_numpy(X)
    for view in (reshape(x, (0, -1)), flatten(x), squeeze(x[:1]), expand(x, (5, 2, 3, 4))):
        assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
