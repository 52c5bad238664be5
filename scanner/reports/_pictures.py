"""Triggers and stamped samples as pictures: (H, W, 3) uint8 arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..triggers import Trigger

__all__ = ["map_picture", "mask_picture", "rgb", "stamped_picture", "trigger_picture"]

Picture = NDArray[np.uint8]

GREY = 0.5  # what lies under a trigger where its mask is open
WIDTH = 224  # smallest width of a picture, in pixels
SAMPLES = 6  # columns of the before-and-after strip
GAP = 4  # white pixels between its tiles


def trigger_picture(trigger: Trigger) -> Picture:
    """What the trigger would paint over a neutral grey image, enlarged without smoothing."""
    return _enlarge(over_grey(trigger), WIDTH)


def mask_picture(trigger: Trigger) -> Picture:
    """The mask: white where the trigger replaces the image, black where it leaves it alone."""
    return _enlarge(rgb(trigger.mask[None]), WIDTH)


def map_picture(values: NDArray[np.float32]) -> Picture:
    """A map (H, W), white where it is largest."""
    values = np.nan_to_num(values)
    low, high = values.min(), values.max()
    return _enlarge(rgb(((values - low) / max(high - low, 1e-12))[None]), WIDTH)


def stamped_picture(trigger: Trigger, images: NDArray[np.float32]) -> Picture:
    """A strip: samples above, the same samples with the trigger below.

    Args:
        images: (N, C, H, W) in [0, 1], N >= 1; the first ``SAMPLES`` are shown.
    """
    images = images[:SAMPLES]
    rows = [_side_by_side([_enlarge(rgb(i), WIDTH // 2) for i in row]) for row in (images, trigger.stamp(images))]
    gap = np.full((GAP, rows[0].shape[1], 3), 255, dtype=np.uint8)
    return np.concatenate([rows[0], gap, rows[1]])


def over_grey(trigger: Trigger) -> Picture:
    """The trigger blended with grey at its own size, (H, W, 3)."""
    return rgb(trigger.stamp(np.full_like(trigger.pattern, GREY)[None])[0])


def rgb(image: NDArray[np.float32]) -> Picture:
    """A picture (C, H, W) in [0, 1] as (H, W, 3)."""
    levels = np.rint(np.nan_to_num(image).clip(0, 1) * 255).astype(np.uint8)  # (C, H, W)
    return np.ascontiguousarray(np.broadcast_to(levels, (3, *levels.shape[1:])).transpose(1, 2, 0))


def _enlarge(picture: Picture, width: int) -> Picture:
    factor = -(-width // picture.shape[1])  # rounded up, so that every pixel keeps the same size
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _side_by_side(tiles: list[Picture]) -> Picture:
    gap = np.full((tiles[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)
