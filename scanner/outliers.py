"""Which class stands out, and how often a clean model's most extreme class would stand out as far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONSISTENCY", "Ranking", "anomaly_index", "cut", "extremity", "p_value", "ranking"]

CONSISTENCY = 1.4826
"""Makes the median absolute deviation estimate a normal distribution's standard deviation."""
MOST = 1e6
"""What an index is told as that is infinite, as of a size of 0."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Classes by how far they stand out, and how rarely the first of a clean model's would stand out as far.

    Attributes:
        index: (K,) the anomaly index of each, NaN where it is undefined.
        order: the classes that have one, the most extreme first.
        beyond: those of them whose index is above the cut.
        cut: that of the rate that was asked for; None where nothing can be compared.
        score: in [0, 1], the first one's `extremity`.
        p_value: the first one's; None where nothing can be compared.
    """

    index: NDArray[np.float64]
    order: tuple[int, ...]
    beyond: tuple[int, ...]
    cut: float | None
    score: float
    p_value: float | None

    @property
    def told(self) -> dict[str, object]:
        """The index and the cut, for the details of an Evidence."""
        shown = [None if np.isnan(v) else round(float(np.clip(v, -MOST, MOST)), 3) for v in self.index]
        return {"anomaly_index": shown, "cut": self.cut}


def ranking(scores: NDArray[np.float64], rate: float, controls: Sequence[int] = (), least: float = 0.0) -> Ranking:
    """Rank classes whose scores (K,) are the more suspicious the lower they are.

    Args:
        rate: share of clean models of which a class may lie beyond the cut, if scores are normally distributed.
        controls: as in `anomaly_index`, and ``least``.
    """
    index = anomaly_index(scores, controls, least)
    order = tuple(int(c) for c in np.argsort(-index, kind="stable") if not np.isnan(index[c]))
    if not order:
        return Ranking(index, (), (), None, 0.0, None)
    compared, strongest = len(scores) if controls else len(order), float(index[order[0]])
    limit = cut(compared, rate, len(controls))
    beyond = tuple(c for c in order if index[c] > limit)
    score = extremity(strongest, compared, rate, len(controls))
    return Ranking(index, order, beyond, limit, score, p_value(strongest, compared, len(controls)))


def anomaly_index(scores: NDArray[np.float64], controls: Sequence[int] = (), least: float = 0.0) -> NDArray[np.float64]:
    """How many robust standard deviations each score lies BELOW the median; NaN scores stay NaN.

    Args:
        scores: (K,); sizes should be passed as logarithms, because they are right-skewed.
        controls: classes whose scores say what is usual; all, where there are none.
        least: standard deviation that is taken where the scores' own is smaller, as that of tied ones.

    Returns:
        (K,), positive below the median. All NaN where it is undefined: fewer than three finite scores, or a median
        absolute deviation of 0 (more than half of the scores are tied) and no ``least``.

    Source: Wang et al. 2019, section IV-B (they take the absolute value and look below the median only).
    """
    usual = scores[list(controls)] if len(controls) else scores
    finite = usual[np.isfinite(usual)]
    if len(finite) < 3:
        return np.full(len(scores), np.nan)
    median = np.median(finite)
    deviation = max(least, CONSISTENCY * float(np.median(np.abs(finite - median))))
    return (median - scores) / deviation if deviation > 0 else np.full(len(scores), np.nan)


def p_value(index: float, classes: int, controls: int = 0) -> float:
    """Chance that the lowest of ``classes`` normal scores of a clean model reaches this anomaly index.

    "Index above 2" convicts a third of all clean ten-class models; this is the same index against the distribution
    that its maximum over K classes really has. 1.0 where the index is undefined or fewer than three classes were
    compared (with two classes it is always 0.67).

    Args:
        index: of the lowest class.
        classes: K.
        controls: how many of them, drawn at random, the median and the deviation were taken from; 0 for all.
    """
    if classes < 3 or np.isnan(index):
        return 1.0
    null = _largest_indices(classes, controls)
    return float((1 + (null >= index).sum()) / (1 + len(null)))


def cut(classes: int, false_positive_rate: float, controls: int = 0) -> float:
    """The anomaly index that the lowest class of this share of clean models with K classes exceeds; inf for K < 3.

    ``controls`` as in `p_value`.
    """
    if classes < 3:
        return float("inf")
    return float(np.quantile(_largest_indices(classes, controls), 1 - false_positive_rate))


@cache
def _largest_indices(classes: int, controls: int = 0) -> NDArray[np.float64]:
    """The largest anomaly index of each of many simulated clean models (independent normal scores), seeded."""
    models = min(20_000, max(2_000, 4_000_000 // classes))
    scores = np.random.default_rng(0).standard_normal((models, classes))
    usual = scores[:, :controls] if controls else scores
    median = np.median(usual, axis=1, keepdims=True)
    deviation = CONSISTENCY * np.median(np.abs(usual - median), axis=1)
    largest: NDArray[np.float64] = (median[:, 0] - scores.min(axis=1)) / deviation
    return largest


def extremity(index: float, classes: int, false_positive_rate: float, controls: int = 0) -> float:
    """An anomaly index as a figure in [0, 1]: 0 at the median or where it is undefined, 0.5 at the `cut`."""
    usual = cut(classes, false_positive_rate, controls)
    if not index > 0 or not np.isfinite(usual):
        return 0.0
    return index / (index + usual) if np.isfinite(index) else 1.0
