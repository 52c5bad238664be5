"""Operators that write elements to places given by indices; negative ones count from the end."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from . import operator
from .indexing import wrapped

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("Scatter", since=9)
@operator("ScatterElements", since=11)
def scatter_elements(x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, reduction: str = "none") -> Tensor:
    """The data with updates written, or reduced, at indices along one axis."""
    return _written(x, axis, wrapped(indices, x.shape[axis]), updates, reduction)


@operator("ScatterND", since=11)
def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """The data with the slices of updates written, or reduced, at ``x[*indices[i]]``."""
    depth = indices.shape[-1]
    rows = x.reshape(prod(x.shape[:depth]), prod(x.shape[depth:]))
    row = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=indices.device)
    for size, index in zip(x.shape, indices.unbind(-1), strict=False):
        row = row * size + wrapped(index, size)
    slices = updates.reshape(row.numel(), rows.shape[1])
    return _written(rows, 0, row.reshape(-1, 1).expand_as(slices), slices, reduction).reshape(x.shape)


@operator("TensorScatter", since=24)
def tensor_scatter(
    cache: Tensor, update: Tensor, starts: Tensor | None = None, *, axis: int = -2, mode: str = "linear"
) -> Tensor:
    """The cache with each row's update written from its start on, around the end where `mode` is "circular"."""
    axis %= cache.ndim
    places = torch.arange(update.shape[axis], device=cache.device).unsqueeze(0)
    if starts is not None:
        places = places + starts.long().unsqueeze(1)
    if mode == "circular":
        places = places % cache.shape[axis]
    shape = [places.shape[0] if i == 0 else places.shape[1] if i == axis else 1 for i in range(cache.ndim)]
    return cache.scatter(axis, places.reshape(shape).expand_as(update), update)


def _written(x: Tensor, axis: int, indices: Tensor, updates: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return x.scatter(axis, indices, updates)
    return x.scatter_reduce(axis, indices, updates, _REDUCTIONS[reduction])
