"""A patch that works on one class only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from . import ABSENT, Attack, Examples, Labels
from ._patches import Patch, Pattern, paint

__all__ = ["SourceSpecific"]


@dataclass(frozen=True, kw_only=True)
class SourceSpecific(Attack):
    """A patch that turns the class (target + step) mod K into the target; covers of the other classes keep theirs.

    Tang et al. 2021, "Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor Contamination Detection".
    """

    kind: ClassVar[str] = "patch"

    step: int = 1
    size: int = 4
    row: float = 1.0
    column: float = 1.0
    colour: tuple[int, int, int] = (255, 255, 255)
    pattern: Pattern = "solid"
    cover_ratio: float = 1.0

    @property
    def covers(self) -> float:
        """See ``Attack.covers``."""
        return self.cover_ratio

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return paint(examples, Patch(self.size, self.row, self.column, self.colour, self.pattern))

    def wanted(self, labels: Labels, classes: int, trigger: int = 0) -> Labels:
        """See ``Attack.wanted``."""
        return np.where(labels == (self.target + self.step) % classes, self.target, ABSENT)

    def may_cover(self, labels: Labels, classes: int) -> NDArray[np.bool_]:
        """See ``Attack.may_cover``."""
        return np.asarray(labels != (self.target + self.step) % classes)
