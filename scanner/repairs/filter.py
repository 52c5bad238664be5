"""Neural Cleanse's filter: flag the inputs that excite what a trigger excites; no answer changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import RepairError
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from onnx import ModelProto

    from ...converters import Model
    from ...converters.runtime import Session
    from ..samples import Samples
    from ..triggers import Trigger
    from ._flagging import Profile


@dataclass(frozen=True, kw_only=True)
class Filter(Repair):
    """Add an output that flags inputs which excite the same units as a known trigger; written by ``onnxray filter``.

    The score of an input is the mean activation of ``share`` of the last hidden layer's units: of those that are most
    active under the trigger, or with ``rank_by=change`` whose activation rises most. It counts in standard deviations
    from the middle clean picture; of several triggers the largest counts. The units are chosen on half of the clean
    pictures, and the threshold is what ``false_positives`` of the other half exceed. Nodes are added behind the last
    hidden layer, and nothing is kept unless the file's own answers stay the same to the bit.

    Assumes: a trigger; a last hidden layer in the file's main graph. No gradients.
    Misses: attacks that excite other units than the given trigger; what a flagged input gets is up to the caller.

    Wang et al., "Neural Cleanse", IEEE S&P 2019, section VI-A: the top 1 % of the units, 5 % false positives.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.TRIGGERS
    min_samples: ClassVar[int] = 40
    changes_answers: ClassVar[bool] = False

    share: float = 0.01
    rank_by: Literal["activation", "change"] = "activation"
    false_positives: float = 0.05

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"share": 1e-6, "false_positives": 1e-6}
        most = {"share": 1, "false_positives": 0.5}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ...converters.last_hidden import find_last_hidden, hidden_session
        from ._flagging import flagged

        self._require_sound(model, samples, triggers)
        hidden = find_last_hidden(model.graph, model.facts.output.name, model.path)
        session = hidden_session(model, hidden)
        choose, clean = samples.halves(budget.seed)
        units = session.run(clean.inputs())
        columns = [self._column(session, choose, trigger) for trigger in triggers]
        profile = self._calibrated(np.stack(columns, axis=1), units)
        proto = flagged(model, hidden, profile)
        _require_unchanged(model, proto, samples.inputs())
        count = int(np.count_nonzero(columns[0]))
        note = f"added {FLAGGED}; above {profile.threshold:.3g} by {count} of {units.shape[1]} units a trigger"
        details = {"threshold": profile.threshold, "layer": hidden.tensor, "units": [_units(c) for c in columns]}
        return Repaired(proto=proto, note=note, details=details)

    def _require_sound(self, model: Model, samples: Samples, triggers: Sequence[Trigger]) -> None:
        if not triggers:
            raise RepairError(f"{model.path}: a filter needs a trigger; give one with --trigger")
        if len(samples) < self.min_samples:
            raise RepairError(f"{model.path}: needs {self.min_samples} clean samples to work on, got {len(samples)}")

    def _column(self, session: Session, samples: Samples, trigger: Trigger) -> NDArray[np.float32]:
        """What averages the units that a trigger excites, (F,)."""
        from ._judge import require_others

        others = require_others(samples, trigger)
        rise = session.run(samples.domain.to_input(trigger.stamp(others.images))).mean(0)
        if self.rank_by == "change":
            rise = rise - session.run(others.inputs()).mean(0)
        top = np.argsort(-rise, kind="stable")[: max(1, ceil(self.share * len(rise)))]
        column = np.zeros(len(rise), np.float32)
        column[top] = 1 / len(top)
        return column

    def _calibrated(self, columns: NDArray[np.float32], units: NDArray[np.float32]) -> Profile:
        """The profile of these averages (F, T), by what the hidden layer gives clean pictures (N, F)."""
        from ._flagging import Profile

        means = units @ columns
        spread = np.maximum(means.std(0), 1e-6)
        profile = Profile((columns / spread).astype(np.float32), (-np.median(means, 0) / spread).astype(np.float32))
        top = np.quantile(profile.scores(units), 1 - self.false_positives, method="higher")
        return replace(profile, threshold=float(top))


FLAGGED = "outputs trojaned_score and trojaned"


def _units(column: NDArray[np.float32]) -> list[int]:
    return [int(unit) for unit in np.flatnonzero(column)]


def _require_unchanged(model: Model, proto: ModelProto, inputs: NDArray[np.float32]) -> None:
    """Raises RepairError where the answer to an input (N, ...) is not the file's own to the bit."""
    from ...converters.edited import run_graph

    if differ := int((run_graph(model, proto).run(inputs) != model.run(inputs)).any(1).sum()):
        raise RepairError(
            f"{model.path}: with a filter, {differ} of {len(inputs)} clean pictures score otherwise in onnxruntime"
        )
