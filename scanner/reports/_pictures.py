"""Triggers and stamped samples as pictures: (H, W, 3) uint8 arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..triggers import Trigger

__all__ = ["map_picture", "mask_picture", "overlay_picture", "rgb", "stamped_picture", "trigger_picture"]

Picture = NDArray[np.uint8]

GREY = 0.5  # what lies under a trigger where its mask is open
WIDTH = 224  # smallest width of a picture, in pixels
SAMPLES = 6  # columns of the before-and-after strip
GAP = 4  # white pixels between its tiles
OVERLAID = 3  # pictures that a map is laid over, besides their mean
COVER = 0.75  # how much of a picture the hottest place hides


def trigger_picture(trigger: Trigger) -> Picture:
    """What the trigger would paint over a neutral grey image, enlarged without smoothing."""
    return _enlarge(over_grey(trigger), WIDTH)


def mask_picture(trigger: Trigger) -> Picture:
    """The mask: white where the trigger replaces the image, black where it leaves it alone."""
    return _enlarge(rgb(trigger.mask[None]), WIDTH)


def map_picture(values: NDArray[np.float32]) -> Picture:
    """A map (H, W), white where it is largest."""
    return _enlarge(rgb(_stretched(values)[None]), WIDTH)


def overlay_picture(values: NDArray[np.float32], images: NDArray[np.float32]) -> Picture:
    """A map over pictures: some pictures and their mean in a row, and below the same with the map glowing over them.

    Args:
        values: (H, W), of any range.
        images: (N, C, H, W) in [0, 1], N >= 1; the first ``OVERLAID`` and the mean of all are shown.
    """
    shown = np.concatenate([images[:OVERLAID], images.mean(axis=0, keepdims=True)])
    rows = [_side_by_side([_enlarge(tile, WIDTH // 2) for tile in row]) for row in _glowing(_stretched(values), shown)]
    gap = np.full((GAP, rows[0].shape[1], 3), 255, dtype=np.uint8)
    return np.concatenate([rows[0], gap, rows[1]])


def _glowing(heat: NDArray[np.float32], images: NDArray[np.float32]) -> tuple[list[Picture], list[Picture]]:
    """The pictures as they are, and greyed under black-red-yellow-white, brighter where hotter."""
    colour = np.stack([3 * heat, 3 * heat - 1, 3 * heat - 2]).clip(0, 1)  # (3, H, W)
    cover = np.sqrt(heat) * COVER
    grey = images.mean(axis=1, keepdims=True)  # (N, 1, H, W)
    return [rgb(i) for i in images], [rgb(g * (1 - cover) + colour * cover) for g in grey]


def _stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """To [0, 1], smallest to largest; all 0 where there is only one value."""
    values = np.nan_to_num(values)
    low, high = values.min(), values.max()
    stretched: NDArray[np.float32] = ((values - low) / max(high - low, 1e-12)).astype(np.float32)
    return stretched


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
