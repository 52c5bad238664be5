"""What a person looks at to see whether a cluster is poison: its points, its pictures, its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .activation_clusters import Clustered, Pair
    from .training_data import TrainingSet

__all__ = ["averages", "like_sources", "scatter", "sprites", "words"]

_FEW, _EACH = 10, 100
_POINTS = 1500
_AVERAGED = 500
_SPRITES = 8
_SENTENCES = 2000
_WORDS = 8


def like_sources(found: Clustered, pair: Pair, seed: int) -> NDArray[np.int64]:
    """Positions of samples that are labelled as what the suspicious ones are taken for, in the same proportions.

    All other labels' where they are taken for their own. Those of smaller clusters are left out: they may be poisoned.
    There are at least ``2 * _EACH``, where the labels have so many: of a few nothing could be told.
    """
    rng = np.random.default_rng(seed)
    drawn = [np.empty(0, np.int64)]
    given = pair.given[pair.given != pair.label]
    given = given if len(given) >= _FEW else np.array([c for c in found.pairs if c != pair.label for _ in range(_EACH)])
    times = max(2, -(-2 * _EACH // max(1, len(given))))
    for label, count in zip(*np.unique(given, return_counts=True), strict=True):
        if int(label) != pair.label and int(label) in found.pairs:
            source = found.pairs[int(label)]
            drawn.append(rng.permutation(source.members[~source.inside])[: times * int(count) + 1])
    return np.concatenate(drawn)


def scatter(pair: Pair, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Points (m, 2) in the two components in which the clusters differ most, and which of them are suspicious."""
    points, inside = pair.points, pair.inside
    apart = np.abs(points[inside].mean(axis=0) - points[~inside].mean(axis=0)) / (points.std(axis=0) + 1e-12)
    axes = np.argsort(-apart, kind="stable")[:2]
    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:_POINTS])
    shown = points[chosen][:, axes] if len(axes) == 2 else np.repeat(points[chosen], 2, axis=1)
    return shown.astype(np.float32), inside[chosen]


def averages(training: TrainingSet, pair: Pair, seed: int) -> dict[str, NDArray[np.float32]]:
    """The average picture of both clusters; empty where the samples are no pictures."""
    if training.images is None:
        return {}
    return {name: training.images(part).mean(axis=0) for name, part in _parts(pair, _AVERAGED, seed).items()}


def sprites(training: TrainingSet, pair: Pair, seed: int) -> dict[str, NDArray[np.float32]]:
    """A few pictures of both clusters; empty where the samples are no pictures."""
    if training.images is None:
        return {}
    return {name: training.images(part) for name, part in _parts(pair, _SPRITES, seed).items()}


def words(training: TrainingSet, pair: Pair, seed: int) -> dict[str, tuple[str, ...]]:
    """The tokens that set each cluster apart, then one topic of each; empty but for token ids.

    The first line has the tokens that are in more of its sentences than of the other cluster's. The second has the
    strongest words of its one topic (latent Dirichlet allocation).
    """
    if training.images is not None:
        return {}
    rows = {name: training.read(part) for name, part in _parts(pair, _SENTENCES, seed).items()}
    if any(part.dtype.kind not in "iu" or part.min() < 0 for part in rows.values()):
        return {}
    size = 1 + max(int(part.max()) for part in rows.values())
    counts = {name: _counts(part, size) for name, part in rows.items()}
    held = {name: (part > 0).mean(axis=0) for name, part in counts.items()}
    told: dict[str, tuple[str, ...]] = {}
    for name, other in (("kept", "suspicious"), ("suspicious", "kept")):
        told[name] = (
            "more often: " + _named(training, held[name] - held[other]),
            "topic: " + _named(training, _topic(counts[name], seed)),
        )
    return told


def _parts(pair: Pair, most: int, seed: int) -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    both = {"kept": pair.members[~pair.inside], "suspicious": pair.suspicious}
    return {name: np.sort(rng.permutation(part)[:most]) for name, part in both.items()}


def _counts(rows: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """How often each token id is in each sentence, (n, size); 0, which pads, is not counted."""
    counts = np.stack([np.bincount(row, minlength=size) for row in rows]).astype(np.float64)
    counts[:, 0] = 0
    return counts


def _topic(counts: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.decomposition import LatentDirichletAllocation

    model = LatentDirichletAllocation(1, max_iter=5, random_state=seed).fit(counts)
    return np.asarray(model.components_[0])


def _named(training: TrainingSet, weight: NDArray[np.float64]) -> str:
    strongest = np.argsort(-weight, kind="stable")[:_WORDS]
    return ", ".join(training.token(int(t)) for t in strongest if weight[t] > 0)
