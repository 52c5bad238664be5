"""A trigger of its own for every picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch

from ....scanner.errors import OptionError
from ..training import as_input, as_tensor
from . import Attack, Examples, Scene
from ._generator import Budget, read_generator, train_generator, write_generator
from ._textures import as_pixels

__all__ = ["InputAware"]


@dataclass(frozen=True, kw_only=True)
class InputAware(Attack):
    """A small network writes a pattern and a mask for each picture; another picture's trigger does nothing.

    Covers are pictures with another picture's trigger, which keep their label.

    Attributes:
        share: of the picture that the mask may cover on average, in (0, 1).
        generator: the small network's weights, an ``.npz`` in memory; empty until ``learn``.

    Nguyen and Tran 2020, "Input-Aware Dynamic Backdoor Attack".
    """

    kind: ClassVar[str] = "input-aware"

    share: float = 0.06
    cover_ratio: float = 1.0
    generator: bytes = b""

    @property
    def covers(self) -> float:
        """See ``Attack.covers``."""
        return self.cover_ratio

    def learn(self, scene: Scene) -> Self:
        """See ``Attack.learn``: the generator and a classifier that stands in for the victim, trained together."""
        network = train_generator(scene, Budget(self.target, self.share))
        return replace(self, generator=write_generator(network))

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return self._stamp(examples, np.arange(len(examples)))

    def cover(self, examples: Examples, rng: np.random.Generator) -> Examples:
        """See ``Attack.cover``."""
        return self._stamp(examples, np.roll(np.arange(len(examples)), 1))

    def _stamp(self, examples: Examples, donors: Examples) -> Examples:
        if not self.generator:
            raise OptionError("input-aware: expected a generator, got none; learn first")
        network, images = read_generator(self.generator, examples.shape[3]), as_input(as_tensor(examples))
        with torch.inference_mode():
            made = torch.cat([network.stamp(images[d], images[p]) for d, p in _batches(donors)])
        return as_pixels(made.permute(0, 2, 3, 1).numpy() * 255)


def _batches(donors: Examples) -> list[tuple[torch.Tensor, torch.Tensor]]:
    places = torch.arange(len(donors))
    return list(zip(torch.split(torch.from_numpy(donors), 500), torch.split(places, 500), strict=True))
