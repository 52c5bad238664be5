"""A patch at a fixed place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import Attack, Examples
from ._patches import Patch, Pattern, paint

__all__ = ["BadNets"]


@dataclass(frozen=True, kw_only=True)
class BadNets(Attack):
    """A small patch at a fixed place; every picture that carries it is to be given the target.

    An ``alpha`` below 1 blends it with the picture beneath.

    Gu et al. 2017, "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain".
    """

    kind: ClassVar[str] = "patch"

    size: int = 3
    row: float = 1.0
    column: float = 1.0
    colour: tuple[int, int, int] = (255, 255, 255)
    pattern: Pattern = "solid"
    alpha: float = 1.0

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return paint(examples, Patch(self.size, self.row, self.column, self.colour, self.pattern), self.alpha)
