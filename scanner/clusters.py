"""Activation Clustering's arithmetic: two clusters of one class's activations, and what tells poison from a class.

Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", 2018, sections 4.1 and 4.2.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Projection", "Reclassified", "Reduction", "depth", "project", "reclassified", "silhouette", "split"]

Reduction = Literal["ica", "pca"]
_FLAT = 1e-9  # standard deviation up to which a feature is called constant
_PAIRS = 2000  # samples of which all pairs are compared for a silhouette


@dataclass(frozen=True)
class Reclassified:
    """Exclusionary reclassification: what a classifier trained without a cluster makes of that cluster.

    Attributes:
        own: how many samples it gives the class that they are labelled as; the paper's l.
        other: how many it gives other classes. The paper's p counts the commonest of them only: the same for poison of
            one source class, and far too few for that of all classes.
        source: the commonest of them.
    """

    own: int
    other: int
    source: int

    @property
    def ratio(self) -> float:
        """l / p: poison has few of its own, a true cluster most; inf where no sample went to another class."""
        return self.own / self.other if self.other else float("inf")

    @property
    def moved(self) -> float:
        """p / (l + p) in [0, 1]: the same on a scale that has an end; a ratio of 1 is one half."""
        return self.other / (self.own + self.other) if self.own + self.other else 0.0


def reclassified(predicted: NDArray[np.int64], label: int) -> Reclassified:
    """Count what a cluster's samples (n,), all labelled alike, were given by a classifier that never saw them."""
    counts = np.bincount(predicted, minlength=label + 1)
    own, counts[label] = int(counts[label]), 0
    source = int(counts.argmax())
    return Reclassified(own, int(counts.sum()), source)


@dataclass(frozen=True, eq=False)
class Projection:
    """Points (n, C) of the activations that it was made of; ``apply`` gives those of others (m, F)."""

    points: NDArray[np.float64]
    apply: Callable[[NDArray[np.float32]], NDArray[np.float64]]


def project(activations: NDArray[np.float32], components: int, how: Reduction, seed: int) -> Projection:
    """Activations (n, F) in at most so many independent (of unit variance) or principal components.

    Fewer where the activations themselves have fewer directions. Features that never change are left out.

    Raises:
        ValueError: fewer samples than components + 1.
    """
    from sklearn.decomposition import PCA, FastICA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import make_pipeline

    if len(activations) <= components:
        needed = f"{components + 1} samples for {components} components"
        raise ValueError(f"expected at least {needed}, got {len(activations)}")
    alive = activations.std(axis=0, dtype=np.float64) > _FLAT
    values = activations[:, alive].astype(np.float64)
    few = min(components, _rank(values))
    if not few:
        return Projection(np.zeros((len(activations), 1)), lambda others: np.zeros((len(others), 1)))
    scale = float(values.std())
    steps = [PCA(few, random_state=seed)]
    if how == "ica" and few > 1:
        steps.append(FastICA(few, whiten="unit-variance", random_state=seed, max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last turn of the axes changes no cluster
        fitted = make_pipeline(*steps).fit(values / scale)

    def apply(others: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(fitted.transform(others[:, alive].astype(np.float64) / scale))

    return Projection(apply(activations), apply)


def split(points: NDArray[np.float64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """k-means with two clusters: the cluster (n,) of each point (n, C), 1 for the smaller, and both centres (2, C)."""
    from sklearn.cluster import KMeans

    means = KMeans(2, n_init=10, random_state=seed).fit(points)
    small = int((means.labels_ == 1).sum() <= (means.labels_ == 0).sum())
    return (means.labels_ == small).astype(np.int64), means.cluster_centers_[[1 - small, small]]


def silhouette(points: NDArray[np.float64], clusters: NDArray[np.int64], seed: int) -> float:
    """How much nearer points are to their own cluster than to the other, in [-1, 1]; 0 where there is only one."""
    from sklearn.metrics import silhouette_score

    chosen = np.random.default_rng(seed).permutation(len(points))[:_PAIRS]
    if len(np.unique(clusters[chosen])) < 2:
        return 0.0
    return float(silhouette_score(points[chosen], clusters[chosen]))


def depth(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far inside the second cluster each point (n, C) lies: 0 at the other's centre, 1 at its own, 0.5 between."""
    one, two = (np.linalg.norm(points - centre, axis=1) for centre in centres)
    total = one + two
    inside: NDArray[np.float64] = np.divide(one, total, out=np.full(len(points), 0.5), where=total > 0)
    return inside


def _rank(values: NDArray[np.float64]) -> int:
    return int(np.linalg.matrix_rank(values - values.mean(axis=0))) if values.size else 0
