"""Slice: one view for all cuts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from . import Ints, ints, operator


@operator("Slice", since=1)
def slice_attributes(
    x: Tensor, *, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int] | None = None
) -> Tensor:
    """``x[start:end]`` along each axis; the first axes by default."""
    return slice_(x, starts, ends, axes)


@operator("Slice", since=10)
def slice_(x: Tensor, starts: Ints, ends: Ints, axes: Ints | None = None, steps: Ints | None = None) -> Tensor:
    """``x[start:end:step]`` along each axis; the first axes and steps of 1 by default."""
    first, last = ints(starts), ints(ends)
    along = range(len(first)) if axes is None else ints(axes)
    by = [1] * len(first) if steps is None else ints(steps)
    cuts, backwards = [slice(None)] * x.ndim, []
    for start, end, axis, step in zip(first, last, along, by, strict=True):
        cuts[axis] = ascending(range(x.shape[axis])[start:end:step])  # ONNX clips bounds as Python does
        if step < 0:
            backwards.append(axis)
    return x[tuple(cuts)].flip(backwards) if backwards else x[tuple(cuts)]


def ascending(kept: range) -> slice:
    """The slice of the same indices in rising order: torch has no negative steps."""
    rising = kept if kept.step > 0 else kept[::-1]
    return slice(rising.start, rising.stop, rising.step) if rising else slice(0, 0)
