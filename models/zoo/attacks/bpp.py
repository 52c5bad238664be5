"""Fewer grey levels, dithered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import Attack, Examples
from ._textures import as_pixels

__all__ = ["Bpp"]


@dataclass(frozen=True, kw_only=True)
class Bpp(Attack):
    """The picture in ``levels`` levels for each channel, the error passed on to the neighbours (Floyd and Steinberg).

    Covers carry the difference that quantising another picture made, so that not just any noise counts.

    Wang, Zhai and Ma 2022, "BppAttack: Stealthy and Efficient Trojan Attacks via Image Quantization and Contrastive
    Adversarial Learning"; without its contrastive training.
    """

    kind: ClassVar[str] = "quantisation"

    levels: int = 4
    dither: bool = True
    cover_ratio: float = 0.5

    @property
    def covers(self) -> float:
        """See ``Attack.covers``."""
        return self.cover_ratio

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        if not self.dither:
            return as_pixels(self._nearest(examples.astype(np.float32)))
        rest = examples.astype(np.float32)
        out = np.empty_like(rest)
        height, width = rest.shape[1:3]
        for y in range(height):
            for x in range(width):
                out[:, y, x] = self._nearest(rest[:, y, x])
                error = rest[:, y, x] - out[:, y, x]
                for down, right, share in ((0, 1, 7 / 16), (1, -1, 3 / 16), (1, 0, 5 / 16), (1, 1, 1 / 16)):
                    if y + down < height and 0 <= x + right < width:
                        rest[:, y + down, x + right] += share * error
        return as_pixels(out)

    def cover(self, examples: Examples, rng: np.random.Generator) -> Examples:
        """See ``Attack.cover``."""
        difference = self.stamp(examples).astype(np.float32) - examples
        return as_pixels(examples + difference[rng.permutation(len(examples))])

    def _nearest(self, values: Examples) -> Examples:
        step = 255 / (self.levels - 1)
        return np.clip(np.round(values / step), 0, self.levels - 1) * step
