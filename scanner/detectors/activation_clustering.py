"""Activation Clustering: the samples of a training set that the model itself keeps apart from others of their label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Literal

from ..activation_clusters import REDUCTIONS, Suspicion
from ..clusters import Reduction
from ..findings import Evidence
from . import Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..activation_clusters import Clustered, Hidden, Pair
    from ..poisoned import PoisonedSamples
    from ..samples import Samples
    from ..training_data import TrainingSet
    from ..transplant import Transplant


@dataclass(frozen=True, kw_only=True)
class ActivationClustering(Detector):
    """Find the poisoned samples of a training set in the model's last hidden layer; needs --training-data.

    A poisoned sample gets its label for its trigger, the others of that label for what they show; in the last hidden
    layer the two stand apart. Each label's activations are reduced to ten components and split in two. The smaller
    cluster is called poisoned where a last layer that is trained again without it gives most of its samples another
    class (exclusionary reclassification, l / p below ``threshold``), while the model gives nearly all of them their
    label (``followed``), and the clusters are two indeed (``silhouette``); unless clean samples of the class lie in it
    as well. What they share is then put into other samples: where it turns these too, it is a trigger; where it turns
    nearly all of them, and is small, that does without reclassification, and for every split that was made.

    Assumes: the training set, and that less than half of a label's samples are poisoned; a hidden layer; no gradients.
    Misses: poison that shares its features with its label (clean-label attacks), that is most of its label, or that
    the model did not learn. Where classes have modes of their own (one sign in many photos) it flags clean ones too.

    Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", 2018. They train the
    whole network again; of a model of which only the file is at hand the last layer can be, on the activations.
    """

    needs: ClassVar[Needs] = Needs.TRAINING
    nominates: ClassVar[bool] = True

    components: int = 10
    reduction: Literal["ica", "pca", "both"] = "both"
    threshold: float = 1.0
    silhouette: float = 0.1
    followed: float = 0.9
    least: int = 10

    def __post_init__(self) -> None:
        """Refuse options that leave nothing to tell; raises ValueError."""
        least = {"components": 1, "threshold": 0.0, "silhouette": -1.0, "followed": 0.0, "least": 1}
        require_between(self, least, {"components": 512, "silhouette": 1.0, "followed": 1.0})

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: of each label's smaller cluster, how much of it goes to another class."""
        from ..activation_clusters import cluster, hidden

        if (training := budget.training) is None:
            raise ValueError("activation-clustering expected a training set, got None")
        started = monotonic()
        if budget.spent:
            yield self._evidence(model, {}, {}, (), started)
            return
        seen = hidden(model, training, samples, budget)
        found = cluster(seen, training.labels, self.components, self._reductions, budget)
        chosen = tuple(self._chosen(model, training, seen, found, budget))
        poisoned = tuple(_described(training, seen, pair, shared, budget) for pair, shared in chosen)
        pairs = found.pairs | {pair.label: pair for pair, _ in chosen}
        yield self._evidence(model, pairs, found.too_few, poisoned, started)

    def _chosen(
        self, model: Model, training: TrainingSet, seen: Hidden, found: Clustered, budget: Budget
    ) -> Iterator[tuple[Pair, Transplant]]:
        """The flagged clusters and what their samples share, most suspicious first.

        Of a label's splits it is the one that reclassification rejects most, or another if what its smaller cluster
        shares surely is a trigger: where new weights for the old features tell nothing, they choose no split either.
        """
        for kept in sorted(found.pairs.values(), key=lambda p: -p.reclassified.moved):
            tried = tuple(self._tried(model, training, seen, found, kept, budget))
            sure = [one for one in tried if one[1].surely]
            yield from (sure or [one for one in tried if one[0] is kept and self._rejected(kept)])[:1]

    def _rejected(self, pair: Pair) -> bool:
        return pair.reclassified.ratio < self.threshold

    def _tried(
        self, model: Model, training: TrainingSet, seen: Hidden, found: Clustered, kept: Pair, budget: Budget
    ) -> Iterator[tuple[Pair, Transplant]]:
        """A label's splits with what the smaller cluster shares, up to the first that settles it."""
        from ..poison_view import like_sources
        from ..transplant import transplant

        for pair in (kept, *found.others.get(kept.label, ())):
            if budget.spent or not self._suspicion.stands_apart(pair, seen):
                continue
            budget.progress(f"what the smaller cluster of class {pair.label} shares", 1.0)
            others = like_sources(found, pair, budget.seed)
            shared = transplant(model, training, pair.suspicious, others, pair.label, budget.seed)
            yield pair, shared
            if shared.surely or (shared.works and self._rejected(pair)):
                return

    @property
    def _reductions(self) -> tuple[Reduction, ...]:
        return REDUCTIONS if self.reduction == "both" else (self.reduction,)

    @property
    def _suspicion(self) -> Suspicion:
        return Suspicion(**{field.name: getattr(self, field.name) for field in fields(Suspicion)})

    def _evidence(
        self, model: Model, pairs: dict[int, Pair], too_few: dict[int, int], poisoned: tuple[PoisonedSamples, ...],
        started: float,
    ) -> Evidence:  # fmt: skip
        moved = [pairs[c].reclassified.moved if c in pairs else float("nan") for c in range(model.classes)]
        return Evidence(
            detector="activation-clustering",
            classes=tuple(moved),
            statistic="of the smaller cluster's samples, given another class by a last layer that never saw them",
            flagged=tuple(p.target for p in poisoned),
            score=max((max(p.reclassified.moved, p.transplant.lower) for p in poisoned), default=0.0),
            seconds=monotonic() - started,
            details={
                "exclusionary_reclassification": {c: _finite(p.reclassified.ratio) for c, p in pairs.items()},
                "relative_size": {c: round(float(p.inside.mean()), 4) for c, p in pairs.items()},
                "silhouette": {c: round(p.silhouette, 4) for c, p in pairs.items()},
                "reduction": {c: p.reduction for c, p in pairs.items()},
                "too_few_samples": too_few,
                "complete": bool(pairs),
            },
            large=True,
            poisoned=poisoned,
        )


def _finite(ratio: float) -> float | None:
    return round(ratio, 4) if ratio < float("inf") else None


def _described(training: TrainingSet, seen: Hidden, pair: Pair, shared: Transplant, budget: Budget) -> PoisonedSamples:
    """All that can be said of one suspicious cluster."""
    from ..poison_view import averages, scatter, sprites, words
    from ..poisoned import PoisonedSamples

    points, inside = scatter(pair, budget.seed)
    return PoisonedSamples(
        target=pair.label,
        positions=pair.suspicious,
        scores=pair.scores[pair.inside],
        labelled=len(pair.members),
        reclassified=pair.reclassified,
        silhouette=pair.silhouette,
        followed=seen.followed(pair),
        clean=pair.clean,
        transplant=shared.success,
        points=points,
        inside=inside,
        averages=averages(training, pair, budget.seed),
        sprites=sprites(training, pair, budget.seed),
        words=words(training, pair, budget.seed),
        trigger=shared.trigger,
        tokens=tuple(training.token(t) for t in shared.tokens),
    )
