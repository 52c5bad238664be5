"""The methods that ours is held against, each an independent rendition of its publication, one a file.

Two kinds, both found by their presence: a `Peer` says of a model which class is suspicious, a `DataFilter` says which
examples of a training set are.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from math import nan
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ....converters import Model
    from ....scanner.samples import Samples

__all__ = ["DataFilter", "FilterResult", "Peer", "PeerResult", "TrainingSet", "filters", "peers"]

Kind = TypeVar("Kind", bound="Peer | DataFilter")


@dataclass(frozen=True, kw_only=True)
class PeerResult:
    """What a peer says of one model.

    Attributes:
        classes: (K,) the method's statistic of each class, NaN where it has none.
        score: higher is more suspicious; only its order means something. 0 where the method cannot say.
        flagged: by the method's own published rule.
        target: its most suspicious class, also where that is not flagged; None where there is none.
        seconds: wall time.
        note: the preset, and whatever went otherwise than the method assumes.
    """

    classes: tuple[float, ...]
    score: float
    flagged: bool
    target: int | None
    seconds: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Peer(ABC):
    """A published way to tell a backdoored model; its fields are its options, its defaults the publication's."""

    id: ClassVar[str]
    needs_samples: ClassVar[int] = 0
    """Least clean pictures; 0 where it needs none."""

    @abstractmethod
    def run(self, model: Model, samples: Samples | None, seed: int) -> PeerResult:
        """Ask it about a model whose twin is built.

        Args:
            samples: clean pictures with the model's domain. None, or samples without a picture, for methods that need
                none; with None the domain is the usual one.
            seed: of all that is drawn; the same seed gives the same answer.

        Raises:
            OptionError: the model takes no pictures.
            SamplesError: too few samples.
            TwinError: the twin is not built.
        """

    def short(self) -> Self:
        """The same method at a price that a benchmark on a CPU can pay; most cost no more than that as they are."""
        return self


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """The examples that a model was trained on.

    Attributes:
        inputs: (N, ...) as the model's file takes them.
        labels: (N,) int64, those that it was trained with.
        poisoned: (N,) bool, which examples carry a trigger and teach it.
        classes: K.
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64]
    poisoned: NDArray[np.bool_]
    classes: int


@dataclass(frozen=True, kw_only=True)
class FilterResult:
    """How well a filter told the poisoned examples.

    Attributes:
        found: how many it took for poisoned; ``right``: those of them that are; ``poisoned``: all that are.
        examples: how many there were.
        seconds: wall time.
    """

    found: int
    right: int
    poisoned: int
    examples: int
    seconds: float

    @classmethod
    def of(cls, found: NDArray[np.bool_], poisoned: NDArray[np.bool_], seconds: float) -> Self:
        """Counted from what was found and what is poisoned, both (N,)."""
        right = int((found & poisoned).sum())
        return cls(
            found=int(found.sum()), right=right, poisoned=int(poisoned.sum()), examples=len(found), seconds=seconds
        )

    @property
    def precision(self) -> float:
        """Share of those found that are poisoned; NaN where none was found."""
        return self.right / self.found if self.found else nan

    @property
    def recall(self) -> float:
        """Share of the poisoned that was found; NaN where none is poisoned."""
        return self.right / self.poisoned if self.poisoned else nan

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; NaN where none is poisoned, 0 where none of those was found."""
        return 2 * self.right / (self.found + self.poisoned) if self.poisoned else nan


@dataclass(frozen=True, kw_only=True)
class DataFilter(ABC):
    """A published way to tell the poisoned examples of a suspect training set; its fields are its options."""

    id: ClassVar[str]

    def missing(self) -> str:
        """What has to be installed first, and how; "" where nothing is missing."""
        return ""

    @final
    def run(self, model: Model, training: TrainingSet, seed: int) -> FilterResult:
        """Ask it which examples are poisoned, and count how often it is right; raises as `find`."""
        started = monotonic()
        found = self.find(model, training, seed)
        return FilterResult.of(found, training.poisoned, monotonic() - started)

    @abstractmethod
    def find(self, model: Model, training: TrainingSet, seed: int) -> NDArray[np.bool_]:
        """(N,) which examples it takes for poisoned, without a look at which are.

        Raises:
            OptionError: the library that it needs is not installed; says how to install it.
            ModelError: the model has no last hidden layer that can be found.
            SamplesError: too few examples.
        """


def peers() -> dict[str, type[Peer]]:
    """Every peer, id -> class, in order of id."""
    return _found(Peer)  # type: ignore[type-abstract]


def filters() -> dict[str, type[DataFilter]]:
    """Every filter of training data, id -> class, in order of id."""
    return _found(DataFilter)  # type: ignore[type-abstract]


def _found(kind: type[Kind]) -> dict[str, type[Kind]]:
    names = [f"{__name__}.{m.name}" for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    values = [value for name in names for value in vars(import_module(name)).values() if _defined(value, name)]
    return {value.id: value for value in sorted(values, key=lambda v: v.id) if issubclass(value, kind)}


def _defined(value: object, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, Peer | DataFilter) and value.__module__ == module
