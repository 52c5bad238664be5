"""How right a model with other weights is, and how well triggers still work on it, in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RepairError

if TYPE_CHECKING:
    from ...converters import Model
    from ..samples import Samples
    from ..triggers import Trigger

__all__ = ["Judge", "Score", "require_others"]


class Score(NamedTuple):
    """Clean accuracy and the success of the most successful trigger, both in [0, 1]."""

    accuracy: float
    attack: float


def require_others(samples: Samples, trigger: Trigger) -> Samples:
    """The samples that are not of the trigger's target; all, for a trigger that moves every class to another.

    Raises:
        RepairError: there is none.
    """
    others = samples if trigger.mapping else samples.outside([trigger.target])
    if not len(others):
        raise RepairError(
            f"every sample is of the trigger's target, class {trigger.target}; give samples of other classes"
        )
    return others


class Judge:
    """Measures proposals on the samples that a repair was given; they choose between proposals, and prove nothing."""

    def __init__(self, model: Model, samples: Samples, triggers: Sequence[Trigger]) -> None:
        self._model, self._labels = model, samples.labels
        self.clean = samples.inputs()
        self.stamped: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        for trigger in triggers:
            others = require_others(samples, trigger)
            inputs = samples.domain.to_input(trigger.stamp(others.images))
            self.stamped.append((trigger.wanted(others.labels), inputs))
        self.before = self.score({})

    def score(self, edits: Mapping[str, NDArray[Any]]) -> Score:
        """Clean accuracy and attack success with these weights."""
        from ...converters.edited import run_edited

        session = run_edited(self._model, edits)
        accuracy = float((session.run(self.clean).argmax(1) == self._labels).mean())
        hits = [float((session.run(inputs).argmax(1) == wanted).mean()) for wanted, inputs in self.stamped]
        return Score(accuracy, max(hits, default=0.0))

    def agreement(self, edits: Mapping[str, NDArray[Any]]) -> float:
        """Share of the clean samples that the model gives the same class as before, in [0, 1]."""
        from ...converters.edited import run_edited

        return float(
            (run_edited(self._model, edits).run(self.clean).argmax(1) == self._model.predict(self.clean)).mean()
        )
