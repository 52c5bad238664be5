"""Operators that choose elements by their values: the largest, the true, the different."""

from __future__ import annotations

import torch
from torch import Tensor

from . import Gradient, Number, number, operator


@operator("TopK", since=1)
def top_k_attribute(x: Tensor, *, k: int, axis: int = -1) -> tuple[Tensor, Tensor]:
    """The k largest values along an axis, and their indices."""
    return top_k(x, k, axis=axis)


@operator("TopK", since=10)
def top_k(x: Tensor, k: Number, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Tensor, Tensor]:
    """The k largest or smallest values along an axis, and their indices; of equal values the first."""
    count = int(number(k))  # torch.topk leaves open which of equal values it takes: a stable sort does not
    values, indices = torch.sort(x, dim=axis, descending=bool(largest), stable=True)
    return values.narrow(axis, 0, count), indices.narrow(axis, 0, count)


@operator("NonZero", since=9, gradient=Gradient.NONE)
def non_zero(x: Tensor) -> Tensor:
    """The indices of all elements that are not zero, one column each; a scalar has one index, as in onnxruntime."""
    return torch.nonzero(x if x.ndim else x.reshape(1)).T


@operator("Compress", since=9)
def compress(x: Tensor, condition: Tensor, *, axis: int | None = None) -> Tensor:
    """The slices along an axis, or the elements, where the condition holds."""
    kept = torch.nonzero(condition).reshape(-1)
    return x.reshape(-1).index_select(0, kept) if axis is None else x.index_select(axis, kept)


@operator("Unique", since=11)
def unique(x: Tensor, *, axis: int | None = None, sorted: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each different element or slice once, its first index, where each input went, and how often it occurs."""
    values = x.reshape(-1) if axis is None else x
    along = axis or 0
    _, inverse, counts = torch.unique(values, return_inverse=True, return_counts=True, dim=along)
    places = torch.arange(inverse.numel(), device=x.device)
    first = places.new_zeros(counts.numel()).scatter_reduce(0, inverse, places, "amin", include_self=False)
    if not sorted:
        order = first.argsort()
        first, counts, inverse = first[order], counts[order], order.argsort()[inverse]
    return values.index_select(along, first), first, inverse, counts
