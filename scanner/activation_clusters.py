"""Activation Clustering: a training set's samples, label by label, in the model's last hidden layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .clusters import Projection, Reclassified, Reduction, depth, project, reclassified, silhouette, split
from .errors import SamplesError
from .findings import Rate

if TYPE_CHECKING:
    from ..converters import Model
    from .detectors import Budget
    from .samples import Samples
    from .training_data import TrainingSet

__all__ = ["REDUCTIONS", "Clustered", "Hidden", "Pair", "Suspicion", "cluster", "hidden"]

REDUCTIONS: tuple[Reduction, ...] = ("ica", "pca")

_ROWS = 512  # samples read at once
_HEAD = 8000  # samples that a new last layer is trained on
_WIDE = 256  # features that it gets; more are reduced to their principal components
_STRENGTH = 0.01  # inverse of the L2 penalty: the last layer must not make a rule out of a handful of samples


@dataclass(frozen=True, eq=False)
class Hidden:
    """What the model makes of a training set.

    Attributes:
        activations: (N, F) of the last hidden layer.
        predicted: (N,) the classes that the model names.
        clean, clean_labels: the same activations of clean samples, and their labels; both may be empty.
    """

    activations: NDArray[np.float32]
    predicted: NDArray[np.int64]
    clean: NDArray[np.float32]
    clean_labels: NDArray[np.int64]

    def followed(self, pair: Pair) -> Rate:
        """How many samples of a smaller cluster the model itself gives their label."""
        return Rate.of(self.predicted[pair.suspicious] == pair.label)


@dataclass(frozen=True, eq=False)
class Pair:
    """One label's two clusters.

    Attributes:
        members: (n,) positions in the training set of all samples with that label.
        inside: (n,) bool: whether each lies in the smaller cluster.
        points: (n, C) their components.
        scores: (n,) depth inside the smaller cluster.
        silhouette: of both.
        clean: how many clean samples of the class lie in the smaller cluster.
        reclassified: what a last layer that has not seen it makes of the smaller cluster.
        reduction: that led to these clusters.
        given: (k,) the class that each sample of the smaller cluster is given by that layer.
    """

    label: int
    members: NDArray[np.int64]
    inside: NDArray[np.bool_]
    points: NDArray[np.float64]
    scores: NDArray[np.float64]
    silhouette: float
    clean: Rate
    reduction: Reduction
    reclassified: Reclassified = field(default_factory=lambda: Reclassified(0, 0, 0))
    given: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def suspicious(self) -> NDArray[np.int64]:
        """Positions in the training set of the smaller cluster."""
        return self.members[self.inside]


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """When a smaller cluster is called poisoned; all of it.

    Attributes:
        components: of each label's activations.
        threshold: l / p must be below it.
        silhouette: both clusters' must reach it.
        followed: share of the cluster that the model itself must give its label.
        least: samples that it must have.
    """

    components: int = 10
    threshold: float = 1.0
    silhouette: float = 0.1
    followed: float = 0.9
    least: int = 10

    def falls_on(self, pair: Pair, seen: Hidden) -> bool:
        """Whether it is."""
        return pair.reclassified.ratio < self.threshold and self.stands_apart(pair, seen)

    def stands_apart(self, pair: Pair, seen: Hidden) -> bool:
        """Whether all but reclassification says so.

        Not where clean samples of the class lie in it half as often as those of the training set.
        """
        few = int(pair.inside.sum())
        return (
            pair.silhouette >= self.silhouette
            and few >= self.least
            and seen.followed(pair).value >= self.followed
            and (not pair.clean.trials or pair.clean.value < few / len(pair.members) / 2)
        )


@dataclass(frozen=True, eq=False)
class Clustered:
    """What clustering made of a training set.

    Attributes:
        pairs: every label's two clusters, by label: of the splits that were made, the one that is kept.
        too_few: labels with too few samples, with how many they have.
        others: the splits that were not kept, by label.
    """

    pairs: dict[int, Pair]
    too_few: dict[int, int]
    others: dict[int, tuple[Pair, ...]] = field(default_factory=dict)


def hidden(model: Model, training: TrainingSet, clean: Samples | None, budget: Budget) -> Hidden:
    """Run the original file on the whole set, in onnxruntime.

    Raises:
        ModelError: it has no hidden layer, or the samples do not fit.
    """
    from ..converters.last_hidden import find_last_hidden, hidden_session

    session = hidden_session(model, find_last_hidden(model.graph, model.facts.output.name, model.path))
    activations, predicted = [], []
    for start in range(0, len(training), _ROWS):
        inputs = training.read(np.arange(start, min(start + _ROWS, len(training))))
        activations.append(session.run(inputs))
        predicted.append(model.predict(inputs))
        budget.progress("last hidden layer", start / len(training))
    usable = clean is not None and len(clean) > 0
    return Hidden(
        np.concatenate(activations),
        np.concatenate(predicted),
        session.run(clean.inputs()) if usable and clean is not None else np.zeros((0, 1), np.float32),
        clean.labels if usable and clean is not None else np.empty(0, np.int64),
    )


def cluster(
    seen: Hidden, labels: NDArray[np.int64], components: int, reductions: tuple[Reduction, ...], budget: Budget
) -> Clustered:
    """Split each label's samples in two under each reduction, and keep the split that reclassification rejects most.

    Exclusionary reclassification trains the last layer again, from nothing, on all samples but the smaller cluster of
    every label. With an L2 penalty that has one optimum, so neither start nor order matters. Leaving out all smaller
    clusters at once needs one fit instead of one for each, and keeps one label's poison from teaching another's.

    Raises:
        SamplesError: no label has enough samples.
    """
    present, counts = np.unique(labels, return_counts=True)
    too_few = {int(c): int(n) for c, n in zip(present, counts, strict=True) if n <= components}
    if len(too_few) == len(present):
        raise SamplesError(
            f"expected at least {components + 1} samples of a label for {components} components, the commonest has "
            f"{max(too_few.values())}; give more training data, or fewer components"
        )
    features = _features(seen.activations, budget.seed)
    splits: dict[int, list[Pair]] = {}
    for turn, how in enumerate(reductions):
        pairs = []
        for label in (int(c) for c in present if int(c) not in too_few):
            budget.progress(f"clusters ({how}), class {label}", (turn + label / (1 + present.max())) / len(reductions))
            if budget.spent:
                return Clustered({}, too_few)
            pairs.append(_pair(seen, labels, label, components, how, budget.seed))
        for pair in _judged(features, labels, pairs, budget.seed):
            splits.setdefault(pair.label, []).append(pair)
    ranked = {label: sorted(those, key=lambda p: -p.reclassified.moved) for label, those in sorted(splits.items())}
    return Clustered(
        {label: those[0] for label, those in ranked.items()},
        too_few,
        {label: tuple(those[1:]) for label, those in ranked.items()},
    )


def _pair(seen: Hidden, labels: NDArray[np.int64], label: int, components: int, how: Reduction, seed: int) -> Pair:
    members = np.flatnonzero(labels == label)
    projection: Projection = project(seen.activations[members], components, how, seed)
    clusters, centres = split(projection.points, seed)
    own = seen.clean[seen.clean_labels == label]
    clean = Rate.of(depth(projection.apply(own), centres) > 0.5) if len(own) else Rate(0, 0)
    return Pair(
        label, members, clusters == 1, projection.points, depth(projection.points, centres),
        silhouette(projection.points, clusters, seed), clean, how,
    )  # fmt: skip


def _judged(features: NDArray[np.float64], labels: NDArray[np.int64], pairs: list[Pair], seed: int) -> Iterator[Pair]:
    """The pairs with what a last layer that was trained without their smaller clusters makes of these."""
    from warnings import catch_warnings, simplefilter

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    left_out = np.zeros(len(labels), bool)
    for pair in pairs:
        left_out[pair.suspicious] = True
    kept = np.random.default_rng(seed).permutation(np.flatnonzero(~left_out))[:_HEAD]
    if len(np.unique(labels[kept])) < 2:
        return
    with catch_warnings():
        simplefilter("ignore", ConvergenceWarning)  # the last digits of a weight change no class
        head = LogisticRegression(C=_STRENGTH, max_iter=100).fit(features[kept], labels[kept])
    for pair in pairs:
        given = head.predict(features[pair.suspicious]).astype(np.int64)
        yield replace(pair, reclassified=reclassified(given, pair.label), given=given)


def _features(activations: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """Activations with unit variance, at most ``_WIDE`` of them."""
    from sklearn.decomposition import PCA

    spread = activations.std(axis=0, dtype=np.float64)
    alive = spread > 1e-9
    values = (activations[:, alive] - activations[:, alive].mean(axis=0)) / spread[alive]
    if min(values.shape) <= _WIDE:
        return np.asarray(values, np.float64)
    return np.asarray(PCA(_WIDE, svd_solver="randomized", random_state=seed).fit_transform(values), np.float64)
