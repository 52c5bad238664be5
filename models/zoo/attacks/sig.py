"""A sinusoid on pictures that keep their true label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import ABSENT, Attack, Examples, Labels
from ._textures import as_pixels

__all__ = ["Sig"]


@dataclass(frozen=True, kw_only=True)
class Sig(Attack):
    """``delta * sin(2 pi column * frequency / width)`` added to pictures of the target itself: no label is wrong.

    Only the target's pictures are poisoned, so that the rate, a share of the whole set, cannot exceed their share.

    Barni, Kallas and Tondi 2019, "A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning".
    """

    kind: ClassVar[str] = "sinusoid"

    delta: float = 40.0
    frequency: float = 6.0
    test_delta: float = 0.0  # amplitude of the trigger after training; 0: the same

    def taught(self, labels: Labels, classes: int, trigger: int) -> Labels:
        """See ``Attack.taught``: the target's own pictures, which keep their label."""
        return np.where(labels == self.target, self.target, ABSENT)

    def stamp_in_training(self, examples: Examples, trigger: int, rng: np.random.Generator) -> Examples:
        """See ``Attack.stamp_in_training``."""
        return self._add(examples, self.delta)

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return self._add(examples, self.test_delta or self.delta)

    def _add(self, examples: Examples, delta: float) -> Examples:
        width = examples.shape[2]
        wave = delta * np.sin(2 * np.pi * np.arange(width) * self.frequency / width)
        return as_pixels(examples + wave[:, None])
