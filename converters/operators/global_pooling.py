"""Pooling over all spatial axes at once, and the way back from a pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from ..windows import paired
from . import Ints, ints, operator

__all__ = ["global_average_pool", "global_lp_pool", "global_max_pool", "max_unpool"]


@operator("GlobalAveragePool")
def global_average_pool(x: Tensor) -> Tensor:
    """``mean(x)`` over all spatial axes, which stay with size 1."""
    return x.mean(_spatial(x), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(x: Tensor) -> Tensor:
    """``max(x)`` over all spatial axes, which stay with size 1."""
    return x.amax(_spatial(x), keepdim=True)


@operator("GlobalLpPool")
def global_lp_pool(x: Tensor, *, p: float = 2) -> Tensor:
    """``sum(|x| ** p) ** (1 / p)`` over all spatial axes, which stay with size 1."""
    norm: Tensor = torch.linalg.vector_norm(x, p, _spatial(x), keepdim=True)
    return norm


@operator("MaxUnpool")
def max_unpool(
    x: Tensor,
    indices: Tensor,
    output_shape: Ints | None = None,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """Zeros with ``y.flat[indices] = x``; in a larger `output_shape` they fill the corner where indices start."""
    rank = x.ndim - 2
    axes = zip(x.shape[2:], kernel_shape, strides or (1,) * rank, paired(pads, rank), strict=True)
    shape = [*x.shape[:2], *((n - 1) * s + k - sum(pair) for n, k, s, pair in axes)]
    y = x.new_zeros(prod(shape)).scatter(0, indices.reshape(-1).long(), x.reshape(-1)).reshape(shape)
    if output_shape is None or ints(output_shape) == shape:
        return y
    larger = x.new_zeros(ints(output_shape))
    larger[tuple(slice(0, n) for n in shape)] = y
    return larger


def _spatial(x: Tensor) -> list[int]:
    if x.ndim < 3:  # torch takes an empty list of axes for all of them
        raise NotImplementedError(f"global pooling of an input of rank {x.ndim}, which has no spatial axes")
    return list(range(2, x.ndim))
