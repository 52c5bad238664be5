"""A perturbation of low frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import Attack, Examples
from ._textures import as_pixels, waves

__all__ = ["LowFrequency"]


@dataclass(frozen=True, kw_only=True)
class LowFrequency(Attack):
    """A fixed sum of the ``reach`` lowest cosines each way, at most ``amplitude`` grey levels, is added.

    The paper optimises its perturbation; here it is drawn, which keeps what a detector meets: a trigger without edges
    and without high frequencies.

    After Zeng et al. 2021, "Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective".
    """

    kind: ClassVar[str] = "low-frequency"

    amplitude: float = 32.0
    reach: int = 4
    pattern_seed: int = 0

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        height, width, channels = examples.shape[1:]
        wave = waves(np.random.default_rng(self.pattern_seed), height, width, channels, self.reach)
        return as_pixels(examples + self.amplitude * wave)
