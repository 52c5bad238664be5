"""A pattern blended with the whole picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import Attack, Examples
from ._textures import Texture, blend, texture

__all__ = ["Blended"]


@dataclass(frozen=True, kw_only=True)
class Blended(Attack):
    """The picture becomes (1 - alpha) of itself and alpha of a fixed pattern.

    Chen et al. 2017, "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning".
    """

    kind: ClassVar[str] = "blend"

    alpha: float = 0.2
    pattern: Texture = "noise"
    pattern_seed: int = 0

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return blend(examples, texture(self.pattern, self.pattern_seed, *examples.shape[1:]), self.alpha)
