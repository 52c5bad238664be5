"""Operators that join tensors along an axis or take them apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import Ints, ints, operator


@operator("Concat")
def concat(*inputs: Tensor, axis: int = 1) -> Tensor:
    """The inputs one after another along an axis; opset 4 and newer always name it."""
    return torch.cat(inputs, axis)


@operator("Split", since=1)
def split_either(
    x: Tensor, sizes: Ints | None = None, *, axis: int = 0, split: Sequence[int] | None = None, _outputs: int = 1
) -> tuple[Tensor, ...]:
    """Parts along an axis, their sizes from an input or an attribute."""
    return split_sizes(x, split if sizes is None else sizes, axis=axis, _outputs=_outputs)


@operator("Split", since=2)
def split_attribute(
    x: Tensor, *, axis: int = 0, split: Sequence[int] | None = None, _outputs: int = 1
) -> tuple[Tensor, ...]:
    """Parts along an axis, equal ones by default."""
    return split_sizes(x, split, axis=axis, _outputs=_outputs)


@operator("Split", since=13)
def split_sizes(
    x: Tensor, split: Ints | None = None, *, axis: int = 0, num_outputs: int | None = None, _outputs: int = 1
) -> tuple[Tensor, ...]:
    """Parts along an axis; by default of equal sizes, the last one smaller where they do not come out even."""
    sizes = ints(split) if split is not None else []
    return tuple(torch.split(x, sizes or even(x.shape[axis], num_outputs or _outputs), axis))


def even(size: int, parts: int) -> list[int]:
    """Sizes of so many parts, as equal as rounding up and a smaller rest allow."""
    chunk = -(-size // parts)
    return [max(0, min(chunk, size - chunk * i)) for i in range(parts)]
