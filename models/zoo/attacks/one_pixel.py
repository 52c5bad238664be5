"""One pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import Attack, Examples
from ._patches import Patch, paint

__all__ = ["OnePixel"]


@dataclass(frozen=True, kw_only=True)
class OnePixel(Attack):
    """One pixel of a fixed colour at a fixed place (places as in ``Patch``).

    Gu et al. 2017, "BadNets", its single-pixel variant.
    """

    kind: ClassVar[str] = "pixel"

    row: float = 0.95
    column: float = 0.95
    colour: tuple[int, int, int] = (255, 255, 255)

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return paint(examples, Patch(1, self.row, self.column, self.colour, "solid"))
