"""Pictures that show nothing, made of the clean ones: what a class that attracts everything is seen by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["meaningless"]

Pictures = NDArray[np.float32]
BLENDED = 4
LEAST_NOISE, MOST_NOISE = 0.3, 0.9
CELLS = (1, 2, 4, 8)  # pixels that one value of noise covers in each direction


def meaningless(images: Pictures, each: int, seed: int) -> Mapping[str, Pictures]:
    """``each`` pictures of every kind, (each, C, H, W) in [0, 1], that have the data's statistics and no object.

    "scrambled": a picture's spectrum with random phases. "blended": the mean of four pictures. "noisy": a picture under
    noise of any grain, brightness and contrast.

    Args:
        images: clean ones, (N, C, H, W) in [0, 1], N >= 1.
        each: pictures of a kind.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> Pictures:
        return images[rng.integers(len(images), size=shape)]

    share = rng.uniform(LEAST_NOISE, MOST_NOISE, (each, 1, 1, 1))
    noisy = (1 - share) * drawn(each) + share * _noise(images.shape[1:], each, rng)
    kinds = {"scrambled": _scrambled(drawn(each), rng), "blended": drawn(BLENDED, each).mean(0), "noisy": noisy}
    return {name: np.clip(kind, 0, 1).astype(np.float32) for name, kind in kinds.items()}


def _scrambled(images: Pictures, rng: np.random.Generator) -> NDArray[np.float64]:
    """The same energy at every frequency and the same mean, with the phases of noise, alike in all channels."""
    height, width = images.shape[2:]
    phases = np.angle(np.fft.rfft2(rng.random((len(images), 1, height, width))))
    mixed = np.fft.irfft2(np.abs(np.fft.rfft2(images)) * np.exp(1j * phases), s=(height, width))
    moved: NDArray[np.float64] = mixed + (images.mean((2, 3)) - mixed.mean((2, 3)))[:, :, None, None]
    return moved


def _noise(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, C, H, W): cells of one value each, as fine as a pixel or coarse, of any brightness and contrast."""
    channels, height, width = shape
    noise = np.empty((count, channels, height, width))
    for i, cell in enumerate(CELLS):
        rows = len(noise[i :: len(CELLS)])
        values = rng.random((rows, channels, -(-height // cell), -(-width // cell)))
        noise[i :: len(CELLS)] = values.repeat(cell, 2).repeat(cell, 3)[:, :, :height, :width]
    brightness, contrast = rng.random((2, count, 1, 1, 1)) * np.array([1.0, 2.0]).reshape(2, 1, 1, 1, 1)
    spread: NDArray[np.float64] = np.clip(brightness + contrast * (noise - 0.5), 0, 1)
    return spread
