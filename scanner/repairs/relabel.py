"""Activation Clustering's repair: give the poisoned training samples their true labels and train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import RepairError
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.twin import Twin
    from ..activation_clusters import Pair
    from ..samples import Samples
    from ..training_data import TrainingSet
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class Relabel(Repair):
    """Find the poisoned samples of the training set, relabel or remove them, and train on; needs --training-data.

    The clusters that activation-clustering flags are found again. Each of their samples is given the class that a last
    layer gives it which never saw such samples (with ``poison="remove"`` they are left out instead), and the twin is
    trained on these and on as many others again (``others`` times as many), from its present weights. After every epoch
    it is tried on the relabelled samples and on the clean ones, and of about the best epochs the latest is kept.

    Assumes: the training set; gradients, float weights; poison that activation-clustering finds.
    Misses: what it misses, and, unless ``proven`` is off, clusters of which nothing works as a trigger that the samples
    share: relabelling the modes of a clean class would only teach errors. Removed samples unlearn little.

    Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", 2018, section 5.4.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.GRADIENTS | Requires.TRAINING
    min_samples: ClassVar[int] = 4

    poison: Literal["relabel", "remove"] = "relabel"
    proven: bool = True
    others: float = 2.0
    least: int = 2000
    lr: float = 0.01
    epochs: int = 14
    batch: int = 64
    dead: float = 0.1

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"others": 0, "least": 1, "lr": 1e-6, "epochs": 1, "batch": 1, "dead": 0}
        most = {"others": 1000, "least": 10_000_000, "lr": 10, "epochs": 10_000, "batch": 100_000, "dead": 1}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ...converters.edited import run_edited
        from ._tuning import Tuning, fine_tune

        training = budget.training
        if training is None:
            raise RepairError(f"{model.path}: needs the training set to relabel; give it with --training-data")
        pairs = self._flagged(model, training, samples, budget)
        poison, labels = _relabelled(pairs)
        kept = np.setdiff1d(np.arange(len(training)), np.concatenate([pair.suspicious for pair in pairs]))
        inputs, clean = training.read(poison), samples.inputs()
        targets = training.labels[poison]
        before = float((model.predict(clean) == samples.labels).mean())
        eye = np.eye(model.classes, dtype=np.float32)

        def draw(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            count = min(len(kept), max(self.least, round(self.others * len(poison))))
            rest = np.sort(rng.choice(kept, count, replace=False))
            x, y = training.read(rest), training.labels[rest]
            if self.poison == "relabel":
                x, y = np.concatenate([x, inputs]), np.concatenate([y, labels])
            order = rng.permutation(len(y))
            return x[order], eye[y[order]]

        def cost(twin: Twin) -> float:
            accuracy = float((twin.scores(clean).argmax(1) == samples.labels).mean())
            return float((twin.scores(inputs).argmax(1) == targets).mean()) + 3 * max(0.0, before - accuracy)

        tuned = fine_tune(model, draw, cost, Tuning(self.lr, self.epochs, self.batch), budget)
        left = float((run_edited(model, tuned.edits).run(inputs).argmax(1) == targets).mean())
        if left > self.dead:
            raise RepairError(f"{model.path}: {left:.0%} of the poisoned samples still get the label that they had")
        done = "relabelled" if self.poison == "relabel" else "left out"
        classes = ", ".join(str(pair.label) for pair in pairs)
        note = f"{len(poison)} training samples labelled {classes} {done}, of which {left:.1%} still get that label"
        return Repaired(tuned.edits, note=note, details={"epochs": tuned.epoch, "samples": len(poison)})

    def _flagged(self, model: Model, training: TrainingSet, samples: Samples, budget: Budget) -> list[Pair]:
        """The pairs of clusters of which one is poisoned.

        Raises:
            RepairError: there is none.
        """
        from ..activation_clusters import REDUCTIONS, Suspicion, cluster, hidden
        from ..poison_view import like_sources
        from ..transplant import transplant

        seen = hidden(model, training, samples, budget)
        found = cluster(seen, training.labels, Suspicion().components, REDUCTIONS, budget)
        pairs = [pair for pair in found.pairs.values() if Suspicion().falls_on(pair, seen)]
        if self.proven:
            tried = [
                transplant(model, training, p.suspicious, like_sources(found, p, budget.seed), p.label, budget.seed)
                for p in pairs
            ]
            pairs = [pair for pair, shared in zip(pairs, tried, strict=True) if shared.works]
        if not pairs:
            raise RepairError(f"{training.source or model.path}: no poisoned samples were found in the training set")
        return pairs


def _relabelled(pairs: Sequence[Pair]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the poisoned samples that another class was found for, and those classes."""
    positions = np.concatenate([pair.suspicious[pair.given != pair.label] for pair in pairs])
    return positions, np.concatenate([pair.given[pair.given != pair.label] for pair in pairs])
