"""Everything that was measured of each class, as numbers on scales that do not depend on the method or on K."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10

import numpy as np
from numpy.typing import NDArray

from .findings import Evaluation, Evidence
from .outliers import anomaly_index, p_value

__all__ = ["MOST", "NATURE", "Signals", "signals"]

Signals = Mapping[str, tuple[float, ...]]
"""Name -> one value for each class; NaN where it was not measured. More is more suspicious, 0 is unsuspicious."""

MOST = 4.0
"""Where every signal ends: one chance in ten thousand, or a sixteenth of the median size."""
NATURE = 0.75
"""How much of what surrogates tell is taken off: they are other networks, trained on a few hundred samples."""
_TINY = 1e-12


def signals(evidence: Sequence[Evidence], evaluation: Evaluation | None, classes: int) -> Signals:
    """Two signals of each method that compares classes, one of each that asks about the whole model, for each of K.

    ``METHOD.rare`` is -log10 of the chance that the most extreme class of a clean model with as many classes stands out
    as far (`outliers.p_value`; so it knows K). ``METHOD.far`` is how many times as small, or as large, the class's
    statistic is as the median, in powers of two; only for statistics that are sizes, which have a zero. Both end at
    `MOST`. A trigger's signals are multiplied by what it achieved on the verification half: its attack success above
    one half, doubled. Where a network that knows nothing but the clean samples was asked the same (``natural`` among
    the details, see ``surrogates``), sizes are corrected for what is so by nature. ``METHOD.found`` is a method's own
    score of the whole model, times `MOST`, for every class alike. What was stopped before its end gives none: sizes
    that were still shrinking compare to nothing.
    """
    judged = {id(trigger): rate.value for trigger, rate in (evaluation.attack_success if evaluation else ())}
    table: dict[str, tuple[float, ...]] = {}
    for e in evidence:
        if len(e.classes) != classes or e.details.get("complete") is False:
            continue
        worth = _worth(e, judged, classes)
        if e.whole:
            table[f"{e.detector}.found"] = tuple((MOST * e.score * worth).tolist())
            continue
        for name, values in (("rare", _rare(e, classes)), ("far", _far(e))):
            if np.isfinite(values).any():
                # A class that was searched and never reached is as far from suspicious as can be.
                known = values if e.controls else np.nan_to_num(values, nan=0.0)
                table[f"{e.detector}.{name}"] = tuple((known * worth).tolist())
    return table


def _rare(e: Evidence, classes: int) -> NDArray[np.float64]:
    told: object = e.details.get("anomaly_index")
    if (corrected := _corrected(e)) is not None:
        told = [None if np.isnan(v) else float(v) for v in anomaly_index(-corrected, e.controls)]
    if not isinstance(told, Sequence) or len(told) != classes:
        return np.full(classes, np.nan)
    index = [float("nan") if v is None else float(v) for v in told]
    compared = classes if e.controls else sum(np.isfinite(index))
    chance = [float("nan") if np.isnan(i) else p_value(i, compared, len(e.controls)) for i in index]
    return np.asarray([abs(min(MOST, -log10(p))) if p == p else p for p in chance])


def _far(e: Evidence) -> NDArray[np.float64]:
    """Powers of two from the median of the classes that say what is usual, towards the suspicious side; 0 beyond it."""
    corrected = _corrected(e)
    away: NDArray[np.float64] = np.clip(_powers(e) if corrected is None else corrected, 0, MOST)
    return away


def _powers(e: Evidence) -> NDArray[np.float64]:
    """(K,) powers of two from the median, positive towards the suspicious side; NaN where ratios mean nothing."""
    sizes = np.asarray(e.classes, dtype=float)
    usual = sizes[list(e.usual)]
    usual = usual[np.isfinite(usual)]
    if not e.sizes or len(usual) < 2 or np.median(usual) <= 0:
        return np.full(len(sizes), np.nan)
    powers: NDArray[np.float64] = np.log2(np.clip(sizes, _TINY, None) / np.median(usual))
    return powers if e.large else -powers


def _corrected(e: Evidence) -> NDArray[np.float64] | None:
    """The powers without what is so by nature, as far as a small network tells it; None where none was asked."""
    natural = e.details.get("natural")
    if not isinstance(natural, Sequence) or len(natural) != len(e.classes) or not e.sizes:
        return None
    powers = _powers(e) - NATURE * np.asarray(natural, dtype=float)
    corrected: NDArray[np.float64] = powers - np.nanmedian(powers) if np.isfinite(powers).any() else powers
    return corrected


def _worth(e: Evidence, judged: Mapping[int, float], classes: int) -> NDArray[np.float64]:
    """1 where nothing was judged; a class with judged triggers is worth what the weakest of them achieves."""
    worth = np.ones(classes)
    if e.whole and e.triggers:
        return worth * max(0.0, 2 * max(judged.get(id(t), 1.0) for t in e.triggers) - 1)
    for target in {t.target for t in e.triggers}:
        rates = [judged[id(t)] for t in e.triggers if t.target == target and id(t) in judged]
        if rates:
            worth[target] = max(0.0, 2 * min(rates) - 1)
    return worth
