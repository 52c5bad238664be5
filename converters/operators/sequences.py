"""Sequences of tensors, which are Python lists, and optional values, which may be None."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import Gradient, Number, ints, number, operator

Sequence = list[Tensor]


@operator("SequenceConstruct", since=11)
def sequence_construct(*inputs: Tensor) -> Sequence:
    """The inputs in a sequence."""
    return list(inputs)


@operator("SequenceEmpty", since=11)
def sequence_empty(*, dtype: int = 1) -> Sequence:
    """A sequence without elements; its type has no meaning in Python."""
    return []


@operator("SequenceInsert", since=11)
def sequence_insert(sequence: Sequence, tensor: Tensor, position: Number | None = None) -> Sequence:
    """The sequence with a tensor before a position, at its end by default."""
    place = len(sequence) if position is None else int(number(position))
    place += len(sequence) if place < 0 else 0
    return [*sequence[:place], tensor, *sequence[place:]]


@operator("SequenceErase", since=11)
def sequence_erase(sequence: Sequence, position: Number | None = None) -> Sequence:
    """The sequence without the element at a position, the last one by default."""
    place = len(sequence) - 1 if position is None else int(number(position)) % len(sequence)
    return [*sequence[:place], *sequence[place + 1 :]]


@operator("SequenceAt", since=11)
def sequence_at(sequence: Sequence, position: Number) -> Tensor:
    """The element at a position."""
    return sequence[int(number(position))]


@operator("SequenceLength", since=11, gradient=Gradient.NONE)
def sequence_length(sequence: Sequence) -> Tensor:
    """The number of elements."""
    return torch.tensor(len(sequence), dtype=torch.int64, device=sequence[0].device if sequence else None)


@operator("ConcatFromSequence", since=11)
def concat_from_sequence(sequence: Sequence, *, axis: int, new_axis: int = 0) -> Tensor:
    """The elements one after another along an axis, or along a new one."""
    return torch.stack(sequence, axis) if new_axis else torch.cat(sequence, axis)


@operator("SplitToSequence", since=11)
def split_to_sequence(x: Tensor, split: Tensor | None = None, *, axis: int = 0, keepdims: int = 1) -> Sequence:
    """Parts along an axis: of one size where `split` is a scalar, of the given sizes, or single slices."""
    if split is None:
        return list(torch.split(x, 1, axis) if keepdims else x.unbind(axis))
    return list(torch.split(x, ints(split) if split.ndim else int(split), axis))


@operator("Optional", since=15)
def optional(value: Any = None, *, type: Any = None) -> Any:
    """The value, or none."""
    return value


@operator("OptionalGetElement", since=15)
def optional_get_element(value: Any) -> Any:
    """The value inside an optional."""
    if value is None:
        raise ValueError("OptionalGetElement: the optional is empty")
    return value


@operator("OptionalHasElement", since=15, gradient=Gradient.NONE)
def optional_has_element(value: Any = None) -> Tensor:
    """Whether the optional holds a value."""
    return torch.tensor(value is not None)
