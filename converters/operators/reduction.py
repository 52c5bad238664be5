"""Reductions along axes; the axes are an attribute before opset 18 (ReduceSum: 13), an input from there on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from . import Ints, ints, operator

Reduction = Callable[[Tensor, list[int], bool], Tensor]


def _reduction(name: str, since: int = 18) -> Callable[[Reduction], Reduction]:
    """Register a function of a tensor, at least one axis, and whether to keep them, as both versions of an operator."""

    def register(function: Reduction) -> Reduction:
        def latest(
            data: Tensor, axes: Ints | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
        ) -> Tensor:
            return _reduced(function, data, axes, bool(keepdims), bool(noop_with_empty_axes))

        def first(data: Tensor, *, axes: Sequence[int] | None = None, keepdims: int = 1) -> Tensor:
            return _reduced(function, data, axes, bool(keepdims), False)

        for version, registered in ((since, latest), (1, first)):
            registered.__name__ = registered.__qualname__ = f"{function.__name__}_{version}"
            registered.__doc__ = function.__doc__
            operator(name, since=version)(registered)
        return function

    return register


def _reduced(function: Reduction, data: Tensor, axes: Ints | None, keep: bool, noop: bool) -> Tensor:
    dims = [] if axes is None else ints(axes)
    if dims or (data.dim() and not noop):
        return function(data, dims or list(range(data.dim())), keep)
    return function(data.unsqueeze(-1), [-1], False)  # over no axis: each value is a set of its own


@_reduction("ReduceSum", since=13)
def reduce_sum(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Sum; 0 of nothing."""
    return torch.sum(x, dims, keep, dtype=x.dtype)


@_reduction("ReduceMean")
def reduce_mean(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Mean; of whole numbers truncated towards zero."""
    if x.is_floating_point():
        return torch.mean(x, dims, keep)
    count = torch.Size([x.shape[d] for d in dims]).numel()
    return torch.div(torch.sum(x, dims, keep), count, rounding_mode="trunc").to(x.dtype)


@_reduction("ReduceMax")
def reduce_max(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Largest value; of nothing the type's smallest."""
    return torch.amax(x, dims, keep) if x.numel() else _extreme(x, dims, keep, largest=False)


@_reduction("ReduceMin")
def reduce_min(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Smallest value; of nothing the type's largest."""
    return torch.amin(x, dims, keep) if x.numel() else _extreme(x, dims, keep, largest=True)


@_reduction("ReduceProd")
def reduce_prod(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Product; 1 of nothing."""
    for dim in sorted((d % x.dim() for d in dims), reverse=True):
        x = torch.prod(x, dim, keep, dtype=x.dtype)
    return x


@_reduction("ReduceL1")
def reduce_l1(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Sum of the absolute values."""
    return torch.sum(torch.abs(x), dims, keep, dtype=x.dtype)


@_reduction("ReduceL2")
def reduce_l2(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Square root of the sum of squares; its gradient at zero is zero."""
    norm: Tensor = torch.linalg.vector_norm(_real(x), 2, dims, keep)
    return norm.to(x.dtype)


@_reduction("ReduceSumSquare")
def reduce_sum_square(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Sum of squares."""
    return torch.sum(torch.square(x), dims, keep, dtype=x.dtype)


@_reduction("ReduceLogSum")
def reduce_log_sum(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Logarithm of the sum; minus infinity of nothing."""
    return torch.log(torch.sum(_real(x), dims, keep)).to(x.dtype)


@_reduction("ReduceLogSumExp")
def reduce_log_sum_exp(x: Tensor, dims: list[int], keep: bool) -> Tensor:
    """Logarithm of the sum of exponentials; minus infinity of nothing."""
    return torch.logsumexp(_real(x), dims, keep).to(x.dtype)


def _real(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.double()


def _extreme(x: Tensor, dims: list[int], keep: bool, largest: bool) -> Tensor:
    """The answer of an empty input: the end of the type's range where nothing is reduced, else nothing as well."""
    sign = 1 if largest else -1
    if x.is_floating_point():
        end: float = sign * torch.inf
    elif x.dtype == torch.bool:
        end = largest
    else:
        end = torch.iinfo(x.dtype).max if largest else torch.iinfo(x.dtype).min
    return x.new_full(torch.sum(x, dims, keep).shape, end)
