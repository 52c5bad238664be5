"""Behavioural methods, one a file: each measures; only ``scanner.verdict`` decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from enum import Flag, auto
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..bounds import require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..findings import Evidence
    from ..samples import Samples
    from ..surrogates import Surrogates
    from ..training_data import TrainingSet

__all__ = ["NOMINATION", "Budget", "Detector", "Needs", "require_between"]

NOMINATION = 0.01
"""Share of clean models of which a method that nominates may flag a class, if the null that it assumes is right."""


class Needs(Flag):
    """What a method cannot work without."""

    NOTHING = 0
    SAMPLES = auto()
    GRADIENTS = auto()
    TRAINING = auto()
    SURROGATES = auto()


Made = TypeVar("Made")


def _silent(text: str, fraction: float) -> None:
    """Progress for nobody."""


@dataclass(frozen=True)
class Budget:
    """What a method may spend, how it tells how far it is, and what else it may look at.

    Attributes:
        deadline: ``time.monotonic()`` at which it must stop and report what it has.
        seed: all randomness comes from it.
        device: torch device, e.g. "cpu" or "cuda".
        progress: called with a short text and the fraction done in [0, 1].
        nominated: classes that stood out for methods which nominate; a method that hands on triggers adds theirs.
        training: the training set under suspicion; None where none was given.
        surrogates: networks trained on the clean samples alone, which tell how easy each class is by nature; None where
            the samples are too few for that.
    """

    deadline: float = float("inf")
    seed: int = 0
    device: str = "cpu"
    progress: Callable[[str, float], None] = _silent
    nominated: tuple[int, ...] = ()
    training: TrainingSet | None = None
    surrogates: Surrogates | None = None
    _made: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, make: Callable[[], Made], settings: Hashable, *of: object) -> Made:
        """What ``make`` gives, made once in a scan for equal settings and the same objects.

        What was made when the time was up is not kept, as it may be half done.
        """
        key = (settings, self.seed, self.device, tuple(map(id, of)))
        if key not in self._made:
            made = make()
            if self.spent:
                return made
            self._made[key] = (made, of)  # what is held keeps its id
        found: Made = self._made[key][0]
        return found

    @property
    def spent(self) -> bool:
        """Whether the time is up."""
        return monotonic() >= self.deadline


@dataclass(frozen=True, kw_only=True)
class Detector(ABC):
    """The contract of a method: a frozen dataclass whose fields are its options and whose docstring explains it.

    The docstring's first line says what is flagged; then the idea, *Assumes*, *Misses* and the paper.

    A method that ``stands_in`` is for models without gradients: it runs last, and only where it was asked for by name
    or no method that needs gradients has searched.

    A method that ``nominates`` recovers no trigger: it runs first, and the classes that it flags are searched and
    judged by those that do. It should flag classes of very few clean models (see ``NOMINATION``).

    A method that is not made for the kind of model, or finds nothing in it to look at, yields Evidence with the reason
    as ``not_checked`` among its details: the report then tells it as not checked, which does not forbid "clean".

    A method that is ``on_request`` costs much for what it sees, and runs only where it was asked for by name, alone
    (``--detector``) or beside the others (``--also``).
    """

    needs: ClassVar[Needs] = Needs.NOTHING
    min_samples: ClassVar[int] = 0
    stands_in: ClassVar[bool] = False
    nominates: ClassVar[bool] = False
    on_request: ClassVar[bool] = False

    @abstractmethod
    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Measure the model with the optimisation half of the clean samples; never change the model."""
