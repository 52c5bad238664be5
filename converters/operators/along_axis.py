"""Along one axis: the place of the largest or smallest value, running sums and products."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import Gradient, Ints, ints, operator


@operator("ArgMax", gradient=Gradient.NONE)
def arg_max(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    """Place of the first largest value, or of the last one."""
    return _place(torch.argmax, x, axis, bool(keepdims), bool(select_last_index))


@operator("ArgMin", gradient=Gradient.NONE)
def arg_min(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    """Place of the first smallest value, or of the last one."""
    return _place(torch.argmin, x, axis, bool(keepdims), bool(select_last_index))


@operator("CumSum", since=11)
def cumulative_sum(x: Tensor, axis: Ints, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    """Sum of all values up to each, or before it if `exclusive`; from the other end if `reverse`."""
    return _running(torch.cumsum, x, ints(axis)[0], 0 if exclusive else None, bool(reverse))


@operator("CumProd", since=26)
def cumulative_product(x: Tensor, axis: Ints, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    """Product of all values up to each, or before it if `exclusive`; from the other end if `reverse`."""
    return _running(torch.cumprod, x, ints(axis)[0], 1 if exclusive else None, bool(reverse))


def _place(search: Callable[..., Tensor], x: Tensor, axis: int, keep: bool, last: bool) -> Tensor:
    if not last:
        return search(x, axis, keepdim=keep)
    return x.shape[axis] - 1 - search(torch.flip(x, [axis]), axis, keepdim=keep)


def _running(accumulate: Callable[..., Tensor], x: Tensor, axis: int, start: int | None, reverse: bool) -> Tensor:
    """Accumulate along an axis; a start value takes the first place and pushes the last value out."""
    x = torch.flip(x, [axis]) if reverse else x
    if start is not None and x.shape[axis]:
        first = torch.full_like(x.narrow(axis, 0, 1), start)
        x = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    x = accumulate(x, axis, dtype=x.dtype)
    return torch.flip(x, [axis]) if reverse else x
