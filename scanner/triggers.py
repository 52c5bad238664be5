"""Triggers: what turns a clean picture into an attack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mask_size import MaskNorm

__all__ = ["Trigger"]


@dataclass(frozen=True, eq=False)
class Trigger:
    """A mask and a pattern that pull pictures into one class, in the raw picture domain.

    Attributes:
        target: the class that it is meant to cause.
        mask: (H, W) float32 in [0, 1], shared by all channels (the paper's m).
        pattern: (C, H, W) float32 in [0, 1], RGB or grey (the paper's Delta).
        seed: of the search that found it.
        minimal: the size of this search's smallest mask, before it was given room to work better; None where this is
            that mask.
        search_asr: attack success on the samples that it was optimised on, in [0, 1]; never evidence by itself.
        norm: what its search took for the size of a mask.
        mapping: (K,) the class that it is meant to cause for pictures of each class, for a trigger that moves every
            class to another (then ``target`` is that of class 0); None for one target.
    """

    target: int
    mask: NDArray[np.float32]
    pattern: NDArray[np.float32]
    seed: int = 0
    search_asr: float = 0.0
    minimal: float | None = None
    norm: MaskNorm = "l1"
    mapping: tuple[int, ...] | None = None

    @property
    def l1(self) -> float:
        """Sum of the mask: its size in fully covered pixels."""
        return float(self.mask.sum())

    @property
    def fraction(self) -> float:
        """Mask L1 as a share of the picture's area, in [0, 1]."""
        return float(self.mask.mean())

    @property
    def size(self) -> float:
        """What the search made small, in [0, 1]: the mask's mean for l1, its root mean square for l2."""
        return self.fraction if self.norm == "l1" else float(np.sqrt(np.square(self.mask, dtype=np.float64).mean()))

    @property
    def smallest(self) -> float:
        """The size of this search's smallest mask, in [0, 1]."""
        return self.size if self.minimal is None else self.minimal

    def wanted(self, predicted: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) the class that it is meant to cause in pictures that the model gives these classes (N,)."""
        if self.mapping is None:
            return np.full(len(predicted), self.target)
        return np.asarray(self.mapping)[predicted]

    def stamp(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The pictures (N, C, H, W) in [0, 1] with the trigger blended in (Neural Cleanse, eq. 2)."""
        return (images + self.mask * (self.pattern - images)).astype(np.float32)
