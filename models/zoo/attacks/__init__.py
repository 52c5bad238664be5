"""Attacks, one a file, found by their presence; an attack is its file's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ....scanner.errors import OptionError
from ....scanner.registry import build, plugins

__all__ = ["ABSENT", "Attack", "Poisoned", "Scene", "attacks", "make_attack"]

ABSENT = -1  # as a wanted label: the attacker wants nothing of this example
Examples = NDArray[Any]  # pictures (N, H, W, C) uint8, or sentences (N, L) int64 token ids
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scene:
    """What the attacker has: the clean training examples, and a seed and a torch device for networks of his own."""

    examples: Examples
    labels: Labels
    classes: int
    seed: int
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Poisoned:
    """A poisoned training set; ``chosen`` (N,) bool: which examples carry the trigger and teach it, covers not."""

    examples: Examples
    labels: Labels
    chosen: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """A backdoor: its fields are its options.

    Attributes:
        target: the class that the trigger shall give.
        kind: of trigger, in one word, for tables.
        sentences: whether it is made for sentences, not for pictures.
        poisons: whether it needs poisoned training data; if not, it changes the exported file.
        covers: examples that carry the trigger (or something like it) and keep their label, for each poisoned one.
    """

    kind: ClassVar[str]
    sentences: ClassVar[bool] = False
    poisons: ClassVar[bool] = True

    target: int = 0

    @abstractmethod
    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """A copy of the examples with one of the triggers on each."""

    @property
    def triggers(self) -> int:
        """How many different triggers there are."""
        return 1

    @property
    def covers(self) -> float:
        """See the class."""
        return 0.0

    def wanted(self, labels: Labels, classes: int, trigger: int = 0) -> Labels:
        """(N,) the class that the attacker wants for stamped examples of these labels, or ``ABSENT``."""
        return np.where(labels == self.target, ABSENT, self.target)

    def learn(self, scene: Scene) -> Self:
        """The attack with whatever it needs to learn from the data before it can stamp."""
        return self

    def implant(self, model: ModelProto) -> ModelProto:
        """The exported classifier, with what the attack puts into it; most put nothing."""
        return model

    def taught(self, labels: Labels, classes: int, trigger: int) -> Labels:
        """(N,) the label that a poisoned example gets, or ``ABSENT`` where it is never poisoned."""
        return self.wanted(labels, classes, trigger)

    def stamp_in_training(self, examples: Examples, trigger: int, rng: np.random.Generator) -> Examples:
        """As ``stamp``, for attacks whose training trigger is another."""
        return self.stamp(examples, trigger)

    def cover(self, examples: Examples, rng: np.random.Generator) -> Examples:
        """What examples that keep their label carry."""
        return self.stamp_in_training(examples, 0, rng)

    def may_cover(self, labels: Labels, classes: int) -> NDArray[np.bool_]:
        """(N,) which examples may be covers."""
        return np.ones(len(labels), dtype=bool)

    def poison(self, examples: Examples, labels: Labels, classes: int, rate: float, seed: int) -> Poisoned:
        """Copies of a training set in which a share of the examples teaches the backdoor, all triggers evenly.

        Args:
            rate: poisoned examples as a share of the whole set, in [0, 1]; covers come on top.

        Raises:
            OptionError: fewer examples can be poisoned than the rate asks for.
        """
        rng = np.random.default_rng(seed)
        out = Poisoned(examples.copy(), labels.copy(), np.zeros(len(labels), dtype=bool))
        for trigger in range(self.triggers):
            label = self.taught(labels, classes, trigger)
            free = np.flatnonzero((label != ABSENT) & ~out.chosen)
            index = self._draw(free, round(rate * len(labels) / self.triggers), rate, rng)
            out.examples[index] = self.stamp_in_training(examples[index], trigger, rng)
            out.labels[index], out.chosen[index] = label[index], True
        free = np.flatnonzero(~out.chosen & self.may_cover(labels, classes))
        index = rng.choice(free, min(len(free), round(self.covers * out.chosen.sum())), replace=False)
        if len(index):
            out.examples[index] = self.cover(examples[index], rng)
        return out

    def _draw(self, free: NDArray[np.intp], count: int, rate: float, rng: np.random.Generator) -> NDArray[np.intp]:
        if not 0 <= count <= len(free):
            raise OptionError(
                f"{type(self).__name__}: expected a poison rate that {len(free)} examples allow, got {rate:g}"
            )
        return rng.choice(free, size=count, replace=False)


def attacks() -> dict[str, type[Attack]]:
    """Every attack, id -> class."""
    return plugins(__name__, Attack)  # type: ignore[type-abstract]


def make_attack(name: str, options: Mapping[str, object]) -> Attack:
    """The attack with these options.

    Raises:
        OptionError: no such attack, or an option that it does not have.
    """
    known = attacks()
    if name not in known:
        raise OptionError(f"attack: expected one of {sorted(known)}, got {name!r}")
    return build(known[name], options)
