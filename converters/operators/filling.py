"""Operators whose values follow from positions alone: constants, ranges, diagonals and triangles."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor

from ..dtypes import torch_dtype
from . import Gradient, Ints, Number, ints, number, operator


@operator("ConstantOfShape", since=9)
def constant_of_shape(shape: Ints, *, value: Tensor | None = None) -> Tensor:
    """One value, float 0 by default, in every place."""
    if value is None:
        value = torch.zeros((), device=shape.device if isinstance(shape, Tensor) else None)
    return value.reshape(()).expand(ints(shape)).clone()


@operator("Range", since=11)
def range_(start: Tensor, limit: Tensor, delta: Tensor, *, stash_type: int = 1) -> Tensor:
    """``start + i * delta`` for as long as it is before `limit`."""
    first, step = start.reshape(()), delta.reshape(())
    count = max(0, ceil((number(limit) - number(first)) / number(step)))
    # Half precision cannot count far: the sum is taken in `stash_type`, float32.
    wide = torch.float32 if start.dtype in (torch.float16, torch.bfloat16) else start.dtype
    return (first.to(wide) + torch.arange(count, device=start.device, dtype=wide) * step.to(wide)).to(start.dtype)


@operator("EyeLike", since=9, gradient=Gradient.NONE)
def eye_like(x: Tensor, *, dtype: int | None = None, k: int = 0) -> Tensor:
    """1 on the k-th diagonal, 0 elsewhere, in the shape of the input."""
    rows, columns = (torch.arange(size, device=x.device) for size in x.shape)
    return (rows.unsqueeze(1) + k == columns).to(torch_dtype(dtype) if dtype else x.dtype)


@operator("Trilu", since=14)
def trilu(x: Tensor, k: Number | None = None, *, upper: int = 1) -> Tensor:
    """The part of each matrix from its k-th diagonal up, or down; 0 elsewhere."""
    diagonal = 0 if k is None else int(number(k))
    return x.triu(diagonal) if upper else x.tril(diagonal)
