"""Neural Cleanse's unlearning: show the model the trigger with the right labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..samples import WAYS
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.twin import Twin
    from ..samples import Samples
    from ..triggers import Trigger
    from ._judge import Judge

FEW = 50  # samples; fewer are seen nine times an epoch, and judged on in every way they can be moved by a pixel


@dataclass(frozen=True, kw_only=True)
class Unlearn(Repair):
    """Fine-tune the model on clean pictures, some of them stamped with the trigger and rightly labelled.

    The twin is trained, and its weights are written back; running statistics of batch normalisations stay. What a
    picture should give is ``1 - own`` of its label and ``own`` of what the model said of it unstamped, so that the
    model keeps its opinion of clean pictures. After every epoch the twin is tried on all samples, clean and stamped,
    and of the epochs with about the least attack success and lost accuracy together the latest is kept.

    In an epoch each sample is seen ``rounds`` times (nine, where there are fewer than 50), each time moved by a pixel
    in a random direction or not at all, and goes with what the model said of it there: this keeps the accuracy. The
    learning rate falls from ``lr`` to nothing: long steps forget the trigger, short ones win the accuracy back.

    Assumes: gradients, float weights, a trigger; the more clean samples the better (from 200 on).
    Misses: whatever the given trigger does not resemble. With few samples the model overfits, and clean accuracy falls.

    Wang et al., "Neural Cleanse", IEEE S&P 2019, section VI-C: one epoch on a tenth of the training set, thousands of
    pictures, a fifth of them stamped, hard labels. With a few hundred pictures one epoch is a few steps; so there are
    ``epochs`` of them, with steps of bounded length (gradients are cut to a norm of 0.5) and a larger ``share``
    stamped.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.TRIGGERS | Requires.GRADIENTS
    min_samples: ClassVar[int] = 10
    rank: ClassVar[int] = 2
    trains: ClassVar[bool] = True

    lr: float = 0.05
    epochs: int = 30
    batch: int = 32
    share: float = 0.3
    own: float = 0.9
    rounds: int = 4

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"lr": 1e-6, "epochs": 1, "batch": 1, "share": 0.01, "own": 0, "rounds": 1}
        most = {"lr": 10, "epochs": 10_000, "batch": 100_000, "share": 1, "own": 1, "rounds": 10_000}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ._judge import Judge
        from ._tuning import Tuning, fine_tune, moved_goals

        few = len(samples) < FEW
        judged = samples.moved() if few else samples
        judge = Judge(model, judged, triggers)
        wanted = moved_goals(model, samples, self.own)

        def draw(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            order, ways = rng.permutation(len(samples)), rng.integers(len(WAYS), size=len(samples))
            return self._inputs(samples.each_moved(order, ways), triggers, rng), wanted[ways, order]

        tuning = Tuning(self.lr, self.epochs, self.batch, len(WAYS) if few else self.rounds, fading=True)
        tuned = fine_tune(model, draw, lambda twin: _cost(twin, judge, judged), tuning, budget)
        note = f"trained {len(tuned.edits)} weights for {tuned.epoch} epochs on {len(samples)} samples"
        return Repaired(tuned.edits, note=note, details={"epochs": tuned.epoch})

    def _inputs(self, samples: Samples, triggers: Sequence[Trigger], rng: np.random.Generator) -> NDArray[np.float32]:
        """The samples with a trigger, any of those given, on ``share`` of them; their pictures are written over."""
        images = samples.images
        for place in np.flatnonzero(rng.random(len(images)) < self.share):
            trigger = triggers[int(rng.integers(len(triggers)))]
            images[place] = trigger.stamp(images[place : place + 1])[0]
        return np.ascontiguousarray(samples.domain.to_input(images), np.float32)


def _cost(twin: Twin, judge: Judge, samples: Samples) -> float:
    """Attack success and lost accuracy, which weighs three times as much, as shares of the samples."""
    accuracy = float((twin.scores(judge.clean).argmax(1) == samples.labels).mean())
    hits = [float((twin.scores(inputs).argmax(1) == wanted).mean()) for wanted, inputs in judge.stamped]
    return max(hits, default=0.0) + 3 * max(0.0, judge.before.accuracy - accuracy)
