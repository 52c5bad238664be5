"""Several patches, one target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import Attack, Examples
from ._patches import CORNERS, Patch, Pattern, paint

__all__ = ["SeveralTriggers"]


@dataclass(frozen=True, kw_only=True)
class SeveralTriggers(Attack):
    """Patches in up to four corners, each of which gives the same target by itself.

    Wang et al. 2019, "Neural Cleanse", section VII, a single label with several triggers.
    """

    kind: ClassVar[str] = "patches"

    count: int = 3
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
