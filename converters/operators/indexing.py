"""Operators that read elements by their indices; negative ones count from the end."""

from __future__ import annotations

import torch
from torch import Tensor

from . import Number, number, operator

__all__ = ["wrapped"]


def wrapped(indices: Tensor, size: int) -> Tensor:
    """Indices counted from the start, as int64: torch takes negative ones only in some functions."""
    indices = indices.long()
    return torch.where(indices < 0, indices + size, indices)


@operator("Gather")
def gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """The slices of one axis at `indices`, whose axes take its place."""
    if indices.ndim == 0 and indices.device.type == "cpu":
        return x.select(axis, int(indices))
    axis %= x.ndim
    taken = x.index_select(axis, wrapped(indices, x.shape[axis]).reshape(-1))
    return taken.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


@operator("GatherElements", since=11)
def gather_elements(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """``x[..., indices[..., i, ...], ...]`` at each place i, the index along one axis."""
    return x.gather(axis, wrapped(indices, x.shape[axis]))


@operator("GatherND", since=11)
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    """``x[b, *indices[b, i]]`` for each place i; the first `batch_dims` axes b go in parallel."""
    batch = [
        torch.arange(size, device=x.device).reshape([-1] + [1] * (indices.ndim - 2 - axis))
        for axis, size in enumerate(x.shape[:batch_dims])
    ]
    return x[(*batch, *indices.long().unbind(-1))]


@operator("OneHot", since=9)
def one_hot(indices: Tensor, depth: Number, values: Tensor, *, axis: int = -1) -> Tensor:
    """``values[1]`` at each index along a new axis, ``values[0]`` elsewhere and for indices out of range."""
    count = int(number(depth))
    axis %= indices.ndim + 1
    places = torch.arange(count, device=indices.device).reshape([-1] + [1] * (indices.ndim - axis))
    off, on = values.unbind(0)
    return torch.where(wrapped(indices, count).unsqueeze(axis) == places, on, off)
