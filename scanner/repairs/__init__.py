"""Repairs, one a file: each proposes weights for the original file; only ``scanner.repair`` decides what is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, ClassVar

from ..bounds import require_between
from ..detectors import Budget

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from ...converters import Model
    from ..samples import Samples
    from ..triggers import Trigger

__all__ = ["Budget", "Repair", "Repaired", "Requires", "require_between"]


class Requires(Flag):
    """What a repair cannot work without."""

    NOTHING = 0
    SAMPLES = auto()
    GRADIENTS = auto()
    TRIGGERS = auto()
    TRAINING = auto()


@dataclass(frozen=True, eq=False)
class Repaired:
    """What a repair proposes.

    Attributes:
        edits: name of an initializer of the original file -> all its new values, as ``converters.patch_weights`` takes.
        proto: the whole new message of a repair that adds nodes; then there are no edits.
        note: what was done, in one line.
        details: figures by name, for the report.
    """

    edits: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    proto: ModelProto | None = None
    note: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Repair(ABC):
    """The contract of a repair: a frozen dataclass whose fields are its options and whose docstring explains it.

    Every option that is a number has bounds (``__post_init__``): what trains or clears nothing is refused, not run.

    ``rank`` is its place in the order in which ``--method auto`` tries them; those with 0 are left out.
    ``trains`` is True for one that does nothing but train weights against a trigger: where they cost too much accuracy,
    a part of the way from the old to the new ones may do.
    ``changes_answers`` is False for one that leaves every answer as it is and only flags inputs.
    """

    needs: ClassVar[Requires] = Requires.NOTHING
    min_samples: ClassVar[int] = 0
    rank: ClassVar[int] = 0
    trains: ClassVar[bool] = False
    changes_answers: ClassVar[bool] = True

    def applies(self, model: Model, triggers: Sequence[Trigger]) -> bool:
        """Whether ``--method auto`` tries it: where there is a trigger to close, or a training set, if it needs one."""
        return bool(triggers) or Requires.TRAINING in self.needs

    @abstractmethod
    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """Propose new weights; the model, its file and its twin stay as they are.

        Args:
            samples: clean pictures to work on; how good the result is, is measured on others.
            triggers: found by a scan, or given; each is a way into the model that the repair shall close.

        Raises:
            RepairError: the model lacks what the method works on, or nothing that it can do helps.
        """
