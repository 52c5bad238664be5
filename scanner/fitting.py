"""Pictures of any size and colour as one array of the model's size and channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit"]

_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Fit:
    """How a picture is brought to the model's size.

    Attributes:
        crop: None stretches the whole picture to the model's size; otherwise the centre is cut out in the model's
            aspect, this share of the largest such cut-out long, and brought to the model's size.
        resample: "bilinear" or "bicubic", both with antialiasing.
    """

    crop: float | None = None
    resample: str = "bilinear"

    def __str__(self) -> str:
        return "" if self.crop is None else f"centre crop {self.crop:g}"

    def apply(self, images: Sequence[NDArray[Any]], channels: int, height: int, width: int) -> NDArray[np.float32]:
        """Pictures (H, W) or (H, W, 3), uint8 or float in [0, 1], as (N, C, height, width) float32 in [0, 1].

        Colour becomes grey by its luminance (ITU-R BT.601); grey becomes colour by repeating it.
        """
        fitted = np.empty((len(images), channels, height, width), dtype=np.float32)
        for slot, image in zip(fitted, images, strict=True):
            slot[:] = _recoloured(_unit(self._resized(image, height, width)), channels)
        return fitted

    def _resized(self, image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
        if image.shape[:2] == (height, width):
            return image
        tall, wide = image.shape[:2]
        if self.crop is None:
            return _resize(image, (height, width), self.resample, (0, 0, wide, tall))
        zoom = max(height / tall, width / wide) / self.crop
        top, left = (tall - height / zoom) / 2, (wide - width / zoom) / 2
        return _resize(image, (height, width), self.resample, (left, top, wide - left, tall - top))


def _resize(
    image: NDArray[Any], size: tuple[int, int], resample: str, box: tuple[float, float, float, float]
) -> NDArray[Any]:
    from PIL import Image

    method = Image.Resampling[resample.upper()]
    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize(size[::-1], method, box))
    planes = [image] if image.ndim == 2 else list(np.moveaxis(image, 2, 0))  # PIL takes floats one plane at a time
    resized = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size[::-1], method, box)) for plane in planes
    ]
    clipped = np.stack(resized, axis=-1).clip(0, 1)  # bicubic overshoots
    return clipped[..., 0] if image.ndim == 2 else clipped


def _unit(image: NDArray[Any]) -> NDArray[np.float32]:
    return image.astype(np.float32) / np.float32(255) if image.dtype == np.uint8 else image.astype(np.float32)


def _recoloured(image: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """(H, W) or (H, W, 3) as (channels, H, W)."""
    if image.ndim == 3:
        return image.transpose(2, 0, 1) if channels == 3 else (image @ _LUMINANCE)[None]
    return np.repeat(image[None], channels, axis=0)
