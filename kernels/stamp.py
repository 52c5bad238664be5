"""Masked blend of many triggers with many images."""

from __future__ import annotations

from torch import Tensor

__all__ = ["stamp"]


def stamp(images: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
    """Put each of T triggers on each of N images: ``(1 - m) * x + m * p``.

    Args:
        images: (N, C, H, W), or (T, N, C, H, W) where each trigger has pictures of its own.
        masks: (T, 1, H, W) in [0, 1], one for all channels.
        patterns: (T, C, H, W), in the images' range.

    Returns:
        (T, N, C, H, W).

    Source: Wang et al. 2019 (Neural Cleanse), eq. 2: A(x, m, D).
    """
    masks, patterns = masks[:, None], patterns[:, None]
    # x + m (p - x) is the same blend with one multiplication less, and one intermediate less to keep for backward.
    return images + masks * (patterns - images)
