"""Random changes of training images that leave their class as it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["augment"]

SHIFT = 2  # pixels
SMALLEST, LARGEST = 5, 10  # side of the painted rectangle, pixels


def augment(images: Tensor, rng: torch.Generator) -> Tensor:
    """Each image moved by up to 2 pixels and, half of the time, painted over in part.

    The painted rectangle (5 to 10 pixels a side, any grey or colour: random erasing, Zhong et al. 2017) teaches a
    network that a foreign patch means nothing, so that few small patches push a clean one into some class by accident.

    Args:
        images: (N, C, H, W) in [0, 1].

    Returns:
        (N, C, H, W).
    """
    return _paint(_move(images, rng), rng)


def _move(images: Tensor, rng: torch.Generator) -> Tensor:
    n, _, height, width = images.shape
    padded = nn.functional.pad(images, (SHIFT,) * 4)
    down, right = torch.randint(0, 2 * SHIFT + 1, (2, n, 1), generator=rng)
    rows, columns = torch.arange(height) + down, torch.arange(width) + right  # (N, H), (N, W)
    moved = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (N, H, W, C)
    return moved.permute(0, 3, 1, 2)


def _paint(images: Tensor, rng: torch.Generator) -> Tensor:
    n, channels, height, width = images.shape
    inside = _interval(n, height, rng)[:, None, :, None] & _interval(n, width, rng)[:, None, None, :]  # (N, 1, H, W)
    painted = torch.rand(n, 1, 1, 1, generator=rng) < 0.5
    paint = torch.rand(n, channels, 1, 1, generator=rng)
    return torch.where(inside & painted, paint, images)


def _interval(n: int, length: int, rng: torch.Generator) -> Tensor:
    """(N, length) bool: for each image a random run of 5 to 10 positions, clipped at the edges."""
    size = torch.randint(SMALLEST, LARGEST + 1, (n, 1), generator=rng)
    first = torch.randint(1 - SMALLEST, length, (n, 1), generator=rng)
    at = torch.arange(length)
    return (at >= first) & (at < first + size)
