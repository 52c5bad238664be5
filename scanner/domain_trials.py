"""How well a model does under each candidate, on the same labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .domain_candidates import Candidate
from .errors import ModelError
from .findings import Rate
from .samples import Samples, stratified

if TYPE_CHECKING:
    from ..converters import Model

__all__ = ["Probe", "Trial", "best", "clearly_better", "run_trials"]

_FIRST_LOOK = 64
_HOPELESS = 0.25  # four standard errors of an accuracy on 64 samples
_ABOUT_EQUAL = 0.02  # of the samples
_LITTLE = 0.05  # nats
_WORST = 1e6
_CLEARLY = 0.01


@dataclass(frozen=True, eq=False)
class Trial:
    """One candidate's result.

    Attributes:
        right: (N,) whether each sample was classified correctly.
        losses: (N,) cross-entropy of each sample's true class; ``_WORST`` where the scores are not finite.
        error: why the model did not run, if it did not.
    """

    candidate: Candidate
    right: NDArray[np.bool_]
    losses: NDArray[np.float64]
    error: ModelError | None = None

    @property
    def accuracy(self) -> Rate:
        """Correct out of tried."""
        return Rate.of(self.right)


@dataclass(frozen=True, eq=False)
class Probe:
    """A model and the labelled pictures that candidates are tried on."""

    model: Model
    images: tuple[NDArray[Any], ...]
    labels: NDArray[np.int64]

    def take(self, index: NDArray[np.intp]) -> Probe:
        """The probe with the pictures at these positions."""
        return replace(self, images=tuple(self.images[i] for i in index), labels=self.labels[index])

    def run(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Try each of them; pictures are fitted once for all that agree on the size."""
        fitted: dict[object, NDArray[np.float32]] = {}
        trials = []
        for candidate in candidates:
            size = (candidate.domain.channels, candidate.domain.height, candidate.domain.width)
            if (candidate.fit, size) not in fitted:
                fitted = {(candidate.fit, size): candidate.fit.apply(self.images, *size)}
            trials.append(self._run(candidate, fitted[candidate.fit, size]))
        return trials

    def _run(self, candidate: Candidate, pictures: NDArray[np.float32]) -> Trial:
        try:
            scores = self.model.run(Samples(pictures, self.labels, candidate.domain).inputs())
        except ModelError as error:  # an input with open axes may refuse one layout and take another
            none = np.zeros(len(self.labels))
            return Trial(candidate, none.astype(np.bool_), none + _WORST, error)
        right = (scores.argmax(axis=1) == self.labels) & ~np.isnan(scores).any(axis=1)
        return Trial(candidate, right, _cross_entropy(scores, self.labels))


def run_trials(probe: Probe, candidates: Sequence[Candidate], seed: int) -> tuple[list[Trial], list[Trial]]:
    """Try all candidates; returns the full trials, and those that a first look on 64 samples ruled out.

    Raises:
        ModelError: the model runs under none of them; with what it says of the first.
    """
    look = stratified(probe.labels, _FIRST_LOOK, seed)
    first = probe.take(look).run(candidates)
    refused = [t.error for t in first if t.error is not None]
    if len(refused) == len(first):
        path = probe.model.path
        raise ModelError(
            f"{path}: it runs on none of the {len(refused)} forms of the pictures that were tried; give --layout, or "
            "pictures of the size that it wants, if you know them. It says: "
            + str(refused[0]).removeprefix(f"{path}: ")
        )
    bar = max(t.accuracy.value for t in first) - _HOPELESS
    hopeful = [t for t in first if t.error is None and t.accuracy.value >= bar]
    dropped = [t for t in first if t not in hopeful]
    return (hopeful if len(look) == len(probe.labels) else probe.run([t.candidate for t in hopeful])), dropped


def best(trials: Sequence[Trial]) -> Trial:
    """The most accurate trial; where several are about equal, the first whose loss is not clearly above the lowest.

    Equal: within 2 % of the samples, at least one. Clearly: by 0.05 nats and by two standard errors of the paired
    difference. The lowest loss alone would not do: a model that is always right is only surer in too wide a range.
    """
    most = max(t.accuracy.hits for t in trials)
    slack = max(1, round(_ABOUT_EQUAL * len(trials[0].right)))
    equal = [t for t in trials if t.accuracy.hits >= most - slack]
    lowest = min(equal, key=lambda t: t.losses.mean()).losses
    return next(t for t in equal if not _above(t.losses - lowest))


def _above(differences: NDArray[np.float64]) -> bool:
    return bool(differences.mean() > max(_LITTLE, 2 * differences.std() / len(differences) ** 0.5))


def clearly_better(one: Trial, other: Trial) -> bool:
    """Whether one trial beats another: one-sided sign test of the samples on which they differ, p < 0.01."""
    from scipy.stats import binomtest

    wins, losses = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
    return wins > losses and bool(binomtest(wins, wins + losses, alternative="greater").pvalue < _CLEARLY)


def _cross_entropy(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cross-entropy of each true class; rows are probabilities if all of them sum to 1, else logits."""
    finite = np.asarray(np.isfinite(scores).all(axis=1))
    rows = np.where(finite[:, None], scores, 1 / scores.shape[1]).astype(np.float64)
    if rows.min() >= 0 and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        logs = np.log(rows.clip(min=1e-12))
    else:
        rows -= rows.max(axis=1, keepdims=True)
        logs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return np.where(finite, -logs[np.arange(len(labels)), labels], _WORST)
