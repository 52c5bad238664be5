"""Error rates with intervals that say how little a few models tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...scanner.findings import Rate

__all__ = ["At", "Bin", "Interval", "Reliability", "Share", "auc", "curve", "reliability", "tpr_at"]

ROUNDS = 2000  # of the bootstrap
SEED = 0
BINS = 10
Numbers = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Share:
    """A proportion with its 95 % Wilson interval; ``value`` is None where nothing was tried."""

    hits: int
    trials: int
    value: float | None
    lower: float
    upper: float

    @classmethod
    def of(cls, hits: Sequence[bool]) -> Self:
        """How many of these are true."""
        rate = Rate(sum(map(bool, hits)), len(hits))
        return cls(rate.hits, rate.trials, rate.value if rate.trials else None, rate.lower, rate.upper)


@dataclass(frozen=True)
class At:
    """How many trojaned models are found where so many false alarms are allowed.

    Attributes:
        limit: of the false positive rate.
        allowed: false alarms, the most that stay within the limit: floor(limit * clean models).
        clean: models that could give one; below 1 / limit of them no false alarm is allowed at all.
        found: of the trojaned models.
    """

    limit: float
    allowed: int
    clean: int
    found: Share


@dataclass(frozen=True)
class Bin:
    """Models with scores from ``low`` to below ``high`` (the last with it): their mean score, and how many are."""

    low: float
    high: float
    score: float
    trojaned: Share


@dataclass(frozen=True)
class Reliability:
    """Whether a score means what it says.

    Attributes:
        brier: mean squared difference between the score and the truth.
        error: expected calibration error: of the bins' mean score from their share of trojaned models, weighted.
    """

    bins: tuple[Bin, ...]
    brier: float
    error: float


def auc(trojaned: Numbers, clean: Numbers, rounds: int = ROUNDS, seed: int = SEED) -> Interval | None:
    """The chance that a trojaned model scores above a clean one, ties counted half; None without one of each.

    The interval is a bootstrap's (percentiles; trojaned and clean models drawn apart). Where every draw would be alike,
    which is so for a perfect ranking or a group of one model, it is made of all areas from which this one is no further
    than 1.96 of their standard errors, after Hanley and McNeil 1982; with one model of each kind that is Wilson's.
    """
    from scipy.stats import bootstrap

    above, below = np.asarray(trojaned, float), np.asarray(clean, float)
    if not len(above) or not len(below):
        return None
    value = float(_ranked(above, below))
    if value in (0.0, 1.0) or len(above) < 2 or len(below) < 2:
        sizes = len(above), len(below)
        return Interval(value, _lowest(value, *sizes), 1 - _lowest(1 - value, *sizes))
    drawn = bootstrap(
        (above, below), _ranked, n_resamples=rounds, batch=50, method="percentile", rng=np.random.default_rng(seed)
    )
    return Interval(value, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high))


def _ranked(above: NDArray[Any], below: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    """The share of pairs in the right order, along the last axis of both."""
    difference = above[..., :, None] - below[..., None, :]
    return np.asarray((difference > 0).mean((-2, -1)) + 0.5 * (difference == 0).mean((-2, -1)))


def _lowest(value: float, trojaned: int, clean: int) -> float:
    """The lowest area from which this one is 1.96 standard errors away."""
    from scipy.optimize import brentq

    def beyond(area: float) -> float:
        first, second = area / (2 - area), 2 * area**2 / (1 + area)
        spread = (trojaned - 1) * (first - area**2) + (clean - 1) * (second - area**2)
        return value - area - 1.959964 * sqrt((area * (1 - area) + spread) / (trojaned * clean))

    return float(brentq(beyond, 0, min(value, 1 - 1e-9))) if value > 0 else 0.0


def tpr_at(trojaned: Numbers, clean: Numbers, limit: float) -> At | None:
    """What the best threshold finds that keeps the false positive rate within the limit; None without clean models."""
    below = np.sort(np.asarray(clean, float))[::-1]
    if not len(below):
        return None
    allowed = floor(limit * len(below) + 1e-9)
    threshold = below[allowed] if allowed < len(below) else -np.inf
    return At(limit, allowed, len(below), Share.of([score > threshold for score in trojaned]))


def curve(trojaned: Numbers, clean: Numbers) -> tuple[list[float], list[float]]:
    """The receiver operating characteristic: false and true positive rates, from (0, 0) to (1, 1)."""
    from sklearn.metrics import roc_curve

    truth = np.repeat([1, 0], [len(trojaned), len(clean)])
    false, true, _ = roc_curve(truth, np.concatenate([trojaned, clean]), drop_intermediate=True)
    return false.tolist(), true.tolist()


def reliability(scores: Numbers, trojaned: Sequence[bool], bins: int = BINS) -> Reliability | None:
    """How scores in [0, 1] compare with how many are trojaned; None without models. Empty bins are left out."""
    values, truth = np.clip(np.asarray(scores, float), 0, 1), np.asarray(trojaned, bool)
    if not len(values):
        return None
    place = np.minimum((values * bins).astype(int), bins - 1)
    found = []
    for b in np.unique(place):
        inside = place == b
        shares = Share.of(truth[inside].tolist())
        found.append(Bin(int(b) / bins, (int(b) + 1) / bins, float(values[inside].mean()), shares))
    gaps = sum(b.trojaned.trials * abs(b.score - (b.trojaned.value or 0.0)) for b in found)
    return Reliability(tuple(found), float(((values - truth) ** 2).mean()), gaps / len(values))
