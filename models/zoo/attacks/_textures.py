"""Patterns over the whole picture."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import idctn

__all__ = ["Texture", "as_pixels", "blend", "texture", "waves"]

Texture = Literal["noise", "smooth", "stripes"]


def texture(kind: Texture, seed: int, height: int, width: int, channels: int) -> NDArray[np.float64]:
    """(H, W, C) in 0..255: each pixel by itself, a few broad waves, or diagonal stripes."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.uniform(0, 255, (height, width, channels))
    if kind == "stripes":
        y, x = np.mgrid[:height, :width]
        period, colour = rng.uniform(4, 8), rng.uniform(128, 255, channels)
        lit: NDArray[np.float64] = (np.sin(2 * np.pi * (x + y) / period) > 0)[..., None] * colour
        return lit
    return 127.5 + 127.5 * waves(rng, height, width, channels, reach=5)


def waves(rng: np.random.Generator, height: int, width: int, channels: int, reach: int) -> NDArray[np.float64]:
    """(H, W, C) in -1..1: random cosines of the ``reach`` lowest frequencies each way, without the constant."""
    spectrum = np.zeros((height, width, channels))
    spectrum[:reach, :reach] = rng.standard_normal((reach, reach, channels))
    spectrum[0, 0] = 0
    sums = idctn(spectrum, axes=(0, 1))
    out: NDArray[np.float64] = sums / np.abs(sums).max()
    return out


def blend(images: NDArray[Any], pattern: NDArray[np.float64], alpha: NDArray[Any] | float) -> NDArray[np.uint8]:
    """(1 - alpha) * image + alpha * pattern."""
    return as_pixels(images * (1 - alpha) + alpha * pattern)


def as_pixels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Rounded and clipped to 0..255."""
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
