"""The fit: a logistic model of one class, then a curve and a cut for whole models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ...scanner.calibration import Calibration, Level
from ...scanner.errors import SamplesError
from .examples import Example, with_less

__all__ = ["FALSE_ALARMS", "LEAST", "deviations", "fit", "level"]

FALSE_ALARMS = 0.02  # share of clean models that may be suspicious
CONVICTIONS = 0.002  # and that may reach the score that convicts together with a verified trigger
LEAST = 5  # clean models, and trojaned ones, that a curve needs
LEAST_SPREAD = 0.05  # of clean models' log-odds: a few that are alike do not make the next one the same
MANY = 200  # clean models; more of them count as so many, as mean and deviation are as good as known then
ROUNDS = 20
STRENGTH = 1.0  # C of the class's model: signals go from 0 to 4


def fit(
    learn: Sequence[Example], calibrate: Sequence[Example], searches: Sequence[str], made: Mapping[str, object]
) -> Calibration:
    """Weights from the examples to learn from, curves and cuts from the others; the two should share no model.

    Args:
        searches: ids of the methods that search triggers.
        made: how, for people.

    Raises:
        SamplesError: too few models of a kind.
    """
    names = sorted({name for e in learn for name in e.signals})
    offset, weights, centres = _of_class(learn, names, searches)
    zero = Level(slope=1.0, intercept=0.0, suspicious=2.0, convicting=2.0, clean=0, trojaned=0)
    bare = Calibration(
        offset=offset, weights=weights, centres=centres, levels={"searched": zero, "nominated": zero},
        searches=tuple(searches), false_alarms=FALSE_ALARMS, made=made,
    )  # fmt: skip
    whole = [e for e in calibrate if bare.kind(e.signals) == "searched"]
    without = [e for e in _only_nominated(calibrate, searches) if e.signals]
    levels = {"searched": level(bare, whole), "nominated": level(bare, without)}
    return replace(bare, levels=levels)


def level(bare: Calibration, seen: Sequence[Example]) -> Level:
    """The curve that turns log-odds into a chance, clean and trojaned models counting the same, and the cuts.

    A cut is where the wanted share of the *next* clean models is left above it, if clean models' log-odds are Gumbel
    distributed: a model's log-odds are the largest of its classes', which is what that distribution is for; counting
    alone could not tell rates below one in the number of clean models. The fewer clean models it is made on, the
    further out it is, by what their mean and deviation may be wrong.

    Raises:
        SamplesError: fewer than `LEAST` models of a kind.
    """
    odds = np.asarray([bare.log_odds(e.signals) for e in seen])
    bad = np.asarray([e.trojaned for e in seen], dtype=bool)
    if bad.sum() < LEAST or (~bad).sum() < LEAST:
        raise SamplesError(
            f"expected scans of at least {LEAST} clean and {LEAST} trojaned models, got {(~bad).sum()} and "
            f"{bad.sum()}; build more of the zoo"
        )
    curve = LogisticRegression(C=1.0, class_weight="balanced").fit(odds[:, None], bad)
    slope = max(0.05, float(curve.coef_[0, 0]))  # never downwards: more evidence is no comfort
    intercept = float(curve.intercept_[0])
    clean = odds[~bad]
    further = np.asarray([deviations(len(clean), share) for share in (FALSE_ALARMS, CONVICTIONS)])
    worst = clean.mean() + further * max(LEAST_SPREAD, float(clean.std(ddof=1)))
    suspicious, convicting = (1 / (1 + np.exp(-(slope * worst + intercept)))).tolist()
    return Level(
        slope=slope, intercept=intercept, suspicious=suspicious, convicting=convicting, clean=len(clean),
        trojaned=int(bad.sum()),
    )  # fmt: skip


@cache
def deviations(seen: int, share: float) -> float:
    """How many deviations above the mean of ``seen`` Gumbel values this share of further ones is; simulated, seeded.

    Mean and deviation are those of the ``seen`` values, and so as uncertain as they are few: of 18, a fiftieth of the
    next ones is beyond 3.1 of them, of very many beyond 2.6.
    """
    rng, further = np.random.default_rng(0), []
    for _ in range(100):
        values = rng.gumbel(size=(2_000, min(seen, MANY) + 1))
        before = values[:, :-1]
        further.append((values[:, -1] - before.mean(1)) / before.std(1, ddof=1))
    return float(np.quantile(np.concatenate(further), 1 - share))


def _only_nominated(seen: Sequence[Example], searches: Sequence[str]) -> list[Example]:
    """Every model once, by the methods that nominate alone; as it was scanned without pictures, if it was.

    With pictures, what those methods say is corrected for what is so by nature; without, it cannot be.
    """
    found: dict[str, Example] = {}
    for e in sorted(seen, key=lambda e: e.samples > 0):
        left = {name: values for name, values in e.signals.items() if name.split(".")[0] not in searches}
        if left:
            found.setdefault(e.name.split(" ")[0], Example(**{**vars(e), "signals": left}))
    return list(found.values())


def _of_class(
    learn: Sequence[Example], names: Sequence[str], searches: Sequence[str]
) -> tuple[float, dict[str, float], dict[str, float]]:
    """Offset, weights and centres.

    What tells a trojaned model is its target class, beside the most suspicious class of a clean one; which that is
    depends on the weights, so the two are found in turn.
    """
    rows = [(e, _table(e, names)) for one in learn if not one.diffuse for e in with_less(one, searches)]
    bad = np.asarray([e.trojaned for e, _ in rows], dtype=bool)
    if bad.sum() == 0 or (~bad).sum() == 0:
        raise SamplesError("expected scans of clean and of trojaned models to learn from; build more of the zoo")
    weight = np.asarray([e.weight for e, _ in rows])
    beta, chosen = np.ones(len(names)), [-1] * len(rows)
    centre, offset = np.zeros(len(names)), 0.0
    for _ in range(ROUNDS):
        before, chosen = chosen, [_chosen(e, table, beta) for e, table in rows]
        if chosen == before:
            break
        x = np.stack([table[c] for (_, table), c in zip(rows, chosen, strict=True)])
        centre = np.nan_to_num(_means(x))
        offset, beta = _without_negative(np.nan_to_num(x - centre), bad, weight)
    used = [i for i in range(len(names)) if beta[i] > 0]
    return offset, {names[i]: float(beta[i]) for i in used}, {names[i]: float(centre[i]) for i in used}


def _table(e: Example, names: Sequence[str]) -> NDArray[np.float64]:
    """(K, F) signals, NaN where there is none."""
    empty = (float("nan"),) * e.classes
    return np.asarray([e.signals.get(name, empty) for name in names], dtype=float).T


def _chosen(e: Example, table: NDArray[np.float64], beta: NDArray[np.float64]) -> int:
    """The class that stands for the model: the most suspicious one, of a trojaned model among its targets."""
    totals = np.nan_to_num(table) @ beta
    among = e.targets if e.trojaned else range(len(totals))
    return max(among, key=lambda c: float(totals[c]))


def _means(x: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(x)
    means: NDArray[np.float64] = np.nansum(x, axis=0) / np.maximum(known.sum(0), 1)
    return means


def _without_negative(
    x: NDArray[np.float64], bad: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """A logistic regression; a signal with a negative weight is left out, the most negative first, and it is redone."""
    used = [i for i in range(x.shape[1]) if np.ptp(x[:, i]) > 0]
    while used:
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
        model.fit(x[:, used], bad, sample_weight=weight)
        weights = model.coef_[0]
        if weights.min() >= 0:
            beta = np.zeros(x.shape[1])
            beta[used] = weights
            return float(model.intercept_[0]), beta
        used.pop(int(weights.argmin()))
    raise SamplesError("no signal is larger for trojaned models than for clean ones; the scans say nothing to learn")
