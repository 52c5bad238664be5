"""A smooth warp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from . import Attack, Examples
from ._textures import as_pixels

__all__ = ["WaNet"]


@dataclass(frozen=True, kw_only=True)
class WaNet(Attack):
    """The picture is bent by a fixed smooth field; covers are bent by random ones, so that only that field counts.

    The field is ``grid`` x ``grid`` random shifts of mean size ``strength`` pixels, enlarged by bicubic interpolation.

    Nguyen and Tran 2021, "WaNet: Imperceptible Warping-based Backdoor Attack".
    """

    kind: ClassVar[str] = "warp"

    grid: int = 4
    strength: float = 1.0
    field_seed: int = 0
    cover_ratio: float = 1.0

    @property
    def covers(self) -> float:
        """See ``Attack.covers``."""
        return self.cover_ratio

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return _warp(examples, self._shifts(examples))

    def cover(self, examples: Examples, rng: np.random.Generator) -> Examples:
        """See ``Attack.cover``: the trigger's field with up to a pixel of noise at each place, another each time."""
        noise = rng.uniform(-1, 1, (len(examples), *examples.shape[1:3], 2)).astype(np.float32)
        return _warp(examples, self._shifts(examples) + noise)

    def _shifts(self, examples: Examples) -> NDArray[np.float32]:
        """(1, H, W, 2) in pixels: right, down."""
        coarse = np.random.default_rng(self.field_seed).uniform(-1, 1, (1, 2, self.grid, self.grid))
        coarse *= self.strength / np.abs(coarse).mean()
        size = (examples.shape[1], examples.shape[2])
        fine = functional.interpolate(torch.from_numpy(coarse), size=size, mode="bicubic", align_corners=True)
        return fine.permute(0, 2, 3, 1).numpy().astype(np.float32)


def _warp(images: Examples, shifts: NDArray[np.float32]) -> Examples:
    """Each pixel taken from where the shift (right, down) points, by bilinear interpolation, edges repeated."""
    height, width = images.shape[1:3]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = (np.stack([x, y], axis=-1) + shifts) / np.array([width - 1, height - 1], dtype=np.float32) * 2 - 1
    grid = torch.from_numpy(np.broadcast_to(places, (len(images), height, width, 2)).copy())
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))
    warped = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=True)
    return as_pixels(warped.permute(0, 2, 3, 1).numpy())
