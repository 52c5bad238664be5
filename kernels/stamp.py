"""Masked blend of many triggers with many images, forward and gradient in one pass over memory each."""

from __future__ import annotations

import torch
from torch import Tensor

from .stamping.function import Stamp
from .stamping.reference import plain_stamp, short_stamp

__all__ = ["plain_stamp", "stamp"]

FEW = 1 << 17  # numbers, below which on a CPU the calls take longer than the work


def stamp(
    images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None = None, *, channels_last: bool = False
) -> Tensor:
    """Put each of T triggers on each of N images: ``(1 - m) * x + m * p``.

    Args:
        images: (N, C, H, W), or (T, N, C, H, W) where each trigger has pictures of its own.
        masks: (T, 1, H, W) in [0, 1], one for all channels.
        patterns: (T, C, H, W), in the images' range.
        index: (T, N) int64, which of the images (M, C, H, W) each trigger is put on; the same as passing
            ``images[index]``, which is then never made.
        channels_last: how the result lies in memory: ``stamped.flatten(0, 1)`` is a view, and contiguous in
            ``torch.channels_last`` where this is set. Images that lie in the same way are read fastest.

    Returns:
        (T, N, C, H, W).

    Gradients flow to masks and patterns, and for them nothing is kept but the arguments: no tensor of the result's
    size lives until the backward pass. On a GPU this is one Triton kernel each way, without atomics, so that equal
    arguments give equal bits; elsewhere torch operations over pieces. Images that need a gradient, arguments of
    several types and code under ``torch.compile`` take ``plain_stamp``.

    Raises:
        ValueError: shapes that do not belong together.
        IndexError: an index outside the images, on a CPU; a GPU makes that picture NaN, as a check would wait for it.

    Source: Wang et al. 2019 (Neural Cleanse), eq. 2: A(x, m, D).
    """
    _check(images, masks, patterns, index)
    one_type = images.dtype == masks.dtype == patterns.dtype and images.is_floating_point()
    if not one_type or images.requires_grad or torch.compiler.is_compiling():
        return plain_stamp(images, masks, patterns, index, channels_last=channels_last)
    count = images.shape[-4] if index is None else index.shape[1]
    if images.device.type == "cpu" and patterns.numel() * count < FEW:
        return short_stamp(images, masks, patterns, index, channels_last)
    stamped: Tensor = Stamp.apply(images, masks, patterns, index, channels_last)  # type: ignore[no-untyped-call]
    return stamped


def _check(images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None) -> None:
    triggers, *picture = patterns.shape
    fits = len(picture) == 3 and masks.shape == (triggers, 1, *picture[1:]) and list(images.shape[-3:]) == picture
    if index is None:
        fits = fits and (images.dim() == 4 or (images.dim() == 5 and len(images) == triggers))
    else:
        fits = fits and images.dim() == 4 and index.dim() == 2 and len(index) == triggers
    if not fits:
        raise ValueError(
            "expected images (N, C, H, W) or (T, N, C, H, W), masks (T, 1, H, W), patterns (T, C, H, W) and, with "
            f"shared images, an index (T, N); got {tuple(images.shape)}, {tuple(masks.shape)}, {tuple(patterns.shape)}"
            + (f", {tuple(index.shape)}" if index is not None else "")
        )
