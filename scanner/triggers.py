"""Triggers: what turns a clean picture into an attack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Trigger"]


@dataclass(frozen=True, eq=False)
class Trigger:
    """A mask and a pattern that pull pictures into one class, in the raw picture domain.

    Attributes:
        target: the class that it is meant to cause.
        mask: (H, W) float32 in [0, 1], shared by all channels (the paper's m).
        pattern: (C, H, W) float32 in [0, 1], RGB or grey (the paper's Delta).
        seed: of the search that found it.
        minimal: share of the picture that the smallest mask of this search covered, before it was given room to work
            better; None where this is that mask.
        search_asr: attack success on the samples that it was optimised on, in [0, 1]; never evidence by itself.
    """

    target: int
    mask: NDArray[np.float32]
    pattern: NDArray[np.float32]
    seed: int = 0
    search_asr: float = 0.0
    minimal: float | None = None

    @property
    def l1(self) -> float:
        """Sum of the mask: its size in fully covered pixels."""
        return float(self.mask.sum())

    @property
    def fraction(self) -> float:
        """Mask L1 as a share of the picture's area, in [0, 1]."""
        return float(self.mask.mean())

    @property
    def smallest(self) -> float:
        """The share of the picture that this search's smallest mask covered, in [0, 1]."""
        return self.fraction if self.minimal is None else self.minimal

    def stamp(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The pictures (N, C, H, W) in [0, 1] with the trigger blended in (Neural Cleanse, eq. 2)."""
        return (images + self.mask * (self.pattern - images)).astype(np.float32)
