"""How a tensor's elements lie in memory, with as few axes as that can be told in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

__all__ = ["Layout", "layout_of"]


@dataclass(frozen=True)
class Layout:
    """(samples, channels, *sizes): the positions as at most three axes, the slowest in memory first.

    All strides are in elements. ``steps`` is what one step along each of the three axes adds to a position's flat
    index in the tensor's own order, which differs from the order in memory where axes were transposed.
    """

    samples: int
    channels: int
    stride_sample: int
    stride_channel: int
    sizes: tuple[int, int, int]
    strides: tuple[int, int, int]
    steps: tuple[int, int, int]

    @property
    def positions(self) -> int:
        """Elements of one sample and channel."""
        return math.prod(self.sizes)

    @property
    def channels_last(self) -> bool:
        """Whether neighbours in memory are channels."""
        return self.channels > 1 and self.stride_channel == 1 and not (self.strides[2] == 1 and self.sizes[2] > 1)


def layout_of(x: Tensor, *, reorder: bool) -> Layout:
    """Describe an (N, C, *spatial) tensor of 2 to 5 axes.

    Args:
        x: any strides; none is copied.
        reorder: whether the axes of the positions may be put in the order of memory.
    """
    return _layout(tuple(x.shape), x.stride(), reorder)


@lru_cache(maxsize=1024)  # a model has few shapes; to work one out takes as long as to launch a kernel
def _layout(shape: tuple[int, ...], strides: tuple[int, ...], reorder: bool) -> Layout:
    axes = _merged(_with_steps(shape[2:], strides[2:]))
    if reorder and strides[1] != 1:
        axes.sort(key=lambda axis: -axis[1])
    axes = [(1, 0, 0)] * (3 - len(axes)) + axes
    (a, b, c), (s, t, u), (i, j, k) = zip(*axes, strict=True)
    return Layout(shape[0], shape[1], strides[0], strides[1], (a, b, c), (s, t, u), (i, j, k))


def _with_steps(sizes: tuple[int, ...], strides: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Size, stride and step in the flat index of every axis of the positions."""
    return [(n, s, math.prod(sizes[i + 1 :])) for i, (n, s) in enumerate(zip(sizes, strides, strict=True))]


def _merged(axes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The axes without those of size one, and neighbours that lie as one axis made one."""
    merged: list[tuple[int, int, int]] = []
    for size, stride, step in axes:
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride, step)
        else:
            merged.append((size, stride, step))
    return merged
