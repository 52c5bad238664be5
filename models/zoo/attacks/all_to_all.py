"""A patch that moves every class on by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import Attack, Examples, Labels
from ._patches import Patch, Pattern, paint

__all__ = ["AllToAll"]


@dataclass(frozen=True, kw_only=True)
class AllToAll(Attack):
    """A patch that shall turn class y into (y + shift) mod K; ``target`` is not used.

    Gu et al. 2017, "BadNets", its all-to-all variant.
    """

    kind: ClassVar[str] = "patch"

    size: int = 4
    row: float = 1.0
    column: float = 1.0
    colour: tuple[int, int, int] = (255, 255, 255)
    pattern: Pattern = "solid"
    shift: int = 1

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return paint(examples, Patch(self.size, self.row, self.column, self.colour, self.pattern))

    def wanted(self, labels: Labels, classes: int, trigger: int = 0) -> Labels:
        """See ``Attack.wanted``."""
        return (labels + self.shift) % classes
