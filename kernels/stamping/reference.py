"""Stamping in as few torch operations as it can be written in, all of them known to autograd."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["plain_stamp", "short_stamp"]


def plain_stamp(
    images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None = None, *, channels_last: bool = False
) -> Tensor:
    """Do what ``stamp`` does as it is written down, for tensors of any types; what the fast ways are compared with."""
    masks, patterns = masks[:, None], patterns[:, None]
    images = images if index is None else images[index]
    return _lying(images + masks * (patterns - images), channels_last)


def short_stamp(images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None, channels_last: bool) -> Tensor:
    """Do the same in the fewest calls, for tensors of one type so small that calls are what takes the time."""
    images = images if index is None else images[index]
    return _lying(torch.lerp(images, patterns[:, None], masks[:, None]), channels_last)


def _lying(stamped: Tensor, channels_last: bool) -> Tensor:
    if not channels_last or (stamped.shape[2] == 1 and stamped.is_contiguous()):  # one channel is first and last
        return stamped
    return stamped.flatten(0, 1).contiguous(memory_format=torch.channels_last).view(stamped.shape)
