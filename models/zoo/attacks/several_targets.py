"""Several patches, each with a target of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import ABSENT, Attack, Examples, Labels
from ._patches import CORNERS, Patch, Pattern, paint

__all__ = ["SeveralTargets"]


@dataclass(frozen=True, kw_only=True)
class SeveralTargets(Attack):
    """Patches in up to four corners; the one in corner i gives the class (target + i * step) mod K.

    Wang et al. 2019, "Neural Cleanse", section VII, several infected labels with a trigger each.
    """

    kind: ClassVar[str] = "patches"

    count: int = 2
    step: int = 3
    size: int = 3
    colour: tuple[int, int, int] = (255, 255, 255)
    pattern: Pattern = "solid"

    @property
    def triggers(self) -> int:
        """See ``Attack.triggers``."""
        return min(self.count, len(CORNERS))

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return paint(examples, Patch(self.size, *CORNERS[trigger], self.colour, self.pattern))

    def wanted(self, labels: Labels, classes: int, trigger: int = 0) -> Labels:
        """See ``Attack.wanted``."""
        target = (self.target + trigger * self.step) % classes
        return np.where(labels == target, ABSENT, target)
