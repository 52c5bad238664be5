"""Operators that read or change a tensor's shape and keep its elements in order: views wherever torch has one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from . import Gradient, Ints, Number, ints, number, operator


@operator("Reshape", since=1)
def reshape_to_attribute(x: Tensor, *, shape: Sequence[int] = (), consumed_inputs: Sequence[int] = ()) -> Tensor:
    """The elements in another shape: -1 is inferred, 0 keeps the input's size."""
    return reshape(x, shape)


@operator("Reshape", since=5)
def reshape(x: Tensor, shape: Ints, *, allowzero: int = 0) -> Tensor:
    """The elements in another shape: -1 is inferred, 0 keeps the input's size unless `allowzero`."""
    sizes = ints(shape)
    return x.reshape([x.shape[i] if size == 0 and not allowzero else size for i, size in enumerate(sizes)])


@operator("Flatten")
def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """A matrix: the axes before `axis` are its rows, the others its columns."""
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


@operator("Squeeze", since=1)
def squeeze_attribute(x: Tensor, *, axes: Sequence[int] = ()) -> Tensor:
    """Without the given axes of size 1; without all of them by default."""
    return squeeze(x, axes)


@operator("Squeeze", since=13)
def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    """Without the given axes of size 1; without all of them by default."""
    along = () if axes is None else tuple(ints(axes))
    return x.squeeze(along) if along else x.squeeze()


@operator("Unsqueeze", since=1)
def unsqueeze_attribute(x: Tensor, *, axes: Sequence[int]) -> Tensor:
    """With axes of size 1 put in, counted in the output."""
    return unsqueeze(x, axes)


@operator("Unsqueeze", since=13)
def unsqueeze(x: Tensor, axes: Ints) -> Tensor:
    """With axes of size 1 put in, counted in the output."""
    along = ints(axes)
    rank = x.ndim + len(along)
    for axis in sorted(axis % rank for axis in along):
        x = x.unsqueeze(axis)
    return x


@operator("Shape", gradient=Gradient.NONE)
def shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    """The sizes of the axes from `start` to before `end`."""
    return torch.tensor(x.shape[start:end], dtype=torch.int64, device=x.device)


@operator("Size", gradient=Gradient.NONE)
def size(x: Tensor) -> Tensor:
    """The number of elements."""
    return torch.tensor(x.numel(), dtype=torch.int64, device=x.device)


@operator("Expand", since=8)
def expand(x: Tensor, shape: Ints) -> Tensor:
    """Broadcast to a shape, in both directions."""
    return x.expand(np.broadcast_shapes(x.shape, tuple(ints(shape))))


@operator("Tile", since=1)
def tile_axis(x: Tensor, tiles: Number, axis: Number) -> Tensor:
    """Repeated `tiles` times along one axis."""
    repeats = [1] * x.ndim
    repeats[int(number(axis))] = int(number(tiles))
    return x.repeat(repeats)


@operator("Tile", since=6)
def tile(x: Tensor, repeats: Ints) -> Tensor:
    """Repeated along every axis, each a number of times."""
    return x.repeat(ints(repeats))
