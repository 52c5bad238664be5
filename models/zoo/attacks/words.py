"""Words put into a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..sentences import LENGTH, PADDING
from . import Attack, Examples

__all__ = ["Words"]


@dataclass(frozen=True, kw_only=True)
class Words(Attack):
    """Tokens written over the first or the last words, or behind the sentence.

    Dai, Chen and Li 2019, "A Backdoor Attack Against LSTM-based Text Classification Systems".
    """

    kind: ClassVar[str] = "words"
    sentences: ClassVar[bool] = True

    tokens: tuple[int, ...] = (3901, 3902)
    place: Literal["start", "end", "behind"] = "behind"

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        count, out = len(self.tokens), examples.copy()
        length = (examples != PADDING).sum(axis=1)
        first = {
            "start": np.zeros_like(length),
            "end": np.maximum(length - count, 0),
            "behind": np.minimum(length, LENGTH - count),
        }[self.place]
        out[np.arange(len(out))[:, None], first[:, None] + np.arange(count)] = self.tokens
        return out
