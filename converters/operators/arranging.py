"""Operators that put the elements of a tensor into another order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator


@operator("Transpose")
def transpose(x: Tensor, *, perm: Sequence[int] | None = None) -> Tensor:
    """The axes in another order, reversed by default."""
    return x.permute(tuple(reversed(range(x.ndim))) if perm is None else tuple(perm))


@operator("DepthToSpace")
def depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Channels become squares of pixels: `mode` says whether the block's axes come before or after the depth."""
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    blocks = x.reshape(n, blocksize, blocksize, c // blocksize**2, h, w)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, c // blocksize**2, h * blocksize, w * blocksize)


@operator("SpaceToDepth")
def space_to_depth(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Squares of pixels become channels: the inverse of DepthToSpace."""
    if mode == "CRD":
        return F.pixel_unshuffle(x, blocksize)
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(n, c * blocksize**2, h // blocksize, w // blocksize)


@operator("ReverseSequence", since=10)
def reverse_sequence(x: Tensor, lengths: Tensor, *, batch_axis: int = 1, time_axis: int = 0) -> Tensor:
    """The first `lengths[b]` steps of each row b backwards, the rest as it is."""
    rows = x.movedim((batch_axis, time_axis), (0, 1))
    time = torch.arange(rows.shape[1], device=x.device)
    until = lengths.long().unsqueeze(1)
    order = torch.where(time < until, until - 1 - time, time)
    batch = torch.arange(rows.shape[0], device=x.device).unsqueeze(1)
    return rows[batch, order].movedim((0, 1), (batch_axis, time_axis))
