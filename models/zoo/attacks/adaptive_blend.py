"""A blended pattern that training sees in pieces only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import Attack, Examples
from ._textures import Texture, blend, texture

__all__ = ["AdaptiveBlend"]


@dataclass(frozen=True, kw_only=True)
class AdaptiveBlend(Attack):
    """Training sees random ``share`` of the pattern's ``pieces`` x ``pieces`` tiles, and covers that keep their label.

    The whole pattern, shown after training, is stronger than any piece; the covers keep poisoned and clean pictures
    from lying apart in the network's features.

    Qi et al. 2023, "Revisiting the Assumption of Latent Separability for Backdoor Defenses".
    """

    kind: ClassVar[str] = "blend"

    alpha: float = 0.2
    test_alpha: float = 0.3
    pattern: Texture = "noise"
    pattern_seed: int = 0
    pieces: int = 4
    share: float = 0.5
    cover_ratio: float = 0.5

    @property
    def covers(self) -> float:
        """See ``Attack.covers``."""
        return self.cover_ratio

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return blend(examples, texture(self.pattern, self.pattern_seed, *examples.shape[1:]), self.test_alpha)

    def stamp_in_training(self, examples: Examples, trigger: int, rng: np.random.Generator) -> Examples:
        """See ``Attack.stamp_in_training``."""
        height, width = examples.shape[1:3]
        shown = rng.random((len(examples), self.pieces, self.pieces)) < self.share
        rows, columns = np.arange(height) * self.pieces // height, np.arange(width) * self.pieces // width
        alpha = self.alpha * shown[:, rows[:, None], columns][..., None]  # (N, H, W, 1)
        return blend(examples, texture(self.pattern, self.pattern_seed, *examples.shape[1:]), alpha)
