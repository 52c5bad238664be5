"""What a method measured of each class, as bars with the cut drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from ...reports._class_table import ROWS, is_share
from ...reports._words import class_label, percent

if TYPE_CHECKING:
    from ...contract import Contract, Evidence

__all__ = ["Bar", "Chart", "Line", "chart"]

ROOM = 1.04  # of the scale beyond its largest value


@dataclass(frozen=True)
class Line:
    """A line across all bars: its place in [0, 100], what it is, and how it looks ("usual" or "cut")."""

    place: float
    words: str
    look: str


@dataclass(frozen=True)
class Bar:
    """One class: its name, the statistic in words, how long its bar is in [0, 100], and what marks it."""

    name: str
    value: str
    length: float
    success: str
    mark: str
    accused: bool


@dataclass(frozen=True)
class Chart:
    """One method's classes, most suspicious first.

    Attributes:
        method, statistic: id, and what the values are.
        measure: heading of the values.
        seen: what the length of a bar is.
        lines: median and cut, where they are known.
        bars: the classes shown.
        all: the lengths of all classes, for a strip; empty where every class has a bar.
        hidden: how many classes have no bar.
        plain: the one figure of a method that measures the model as a whole; "" for others.
        stands_out: whether the method flags a class.
        searches: whether it searches triggers, so that its bars are sizes.
    """

    method: str
    statistic: str
    measure: str
    seen: str
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    all: tuple[float, ...]
    hidden: int
    plain: str
    stands_out: bool
    searches: bool
    seconds: float


def chart(report: Contract, e: Evidence, rows: int = ROWS) -> Chart:
    """The chart of one method's evidence, with that many bars, or more where more classes are accused."""
    values, lines, seen = _scale(e)
    most = max([*(v for v in values if v is not None), *(at for at, _, _ in lines)], default=0.0) * ROOM or 1.0
    lengths = [max(0.0, 100 * v / most) if v is not None else None for v in values]
    shown = _order(report, e, values)[: max(rows, len(_accused(report, e)))]
    whole = bool(e.details.get("whole"))
    return Chart(
        method=e.detector,
        statistic=e.statistic,
        measure=_measure(e),
        seen=seen,
        lines=tuple(Line(100 * at / most, words, look) for at, words, look in lines),
        bars=() if whole else tuple(_bar(report, e, c, lengths[c]) for c in shown),
        all=() if whole or len(shown) == len(values) else tuple(v for v in lengths if v is not None),
        hidden=0 if whole else len(values) - len(shown),
        plain=_value(e, e.classes[0] if e.classes else None) if whole else "",
        stands_out=bool(e.flagged),
        searches="convicting_size" in e.details or whole,
        seconds=e.seconds,
    )


def _scale(e: Evidence) -> tuple[list[float | None], list[tuple[float, str, str]], str]:
    """What the bars measure, the lines across them, and what both are in words."""
    index, cut = e.details.get("anomaly_index"), _finite(e.details.get("cut"))
    median, largest = (_finite(e.details.get(name)) for name in ("median_size", "convicting_size"))
    if median is not None and largest is not None:
        lines = [
            (median, f"median of the other classes, {percent(median)}", "usual"),
            (largest, f"a backdoor needs at most {percent(largest)}", "cut"),
        ]
        return [_finite(v) for v in e.classes], lines, "short bars are suspicious"
    if isinstance(index, list) and len(index) == len(e.classes):
        lines = [(cut, f"flagged beyond {cut:.1f}", "cut")] if cut is not None else []
        seen = "bars: robust deviations from the median class, towards what is suspicious; long bars are suspicious"
        return [_finite(v) for v in index], lines, seen
    sizes = [_finite(v) for v in e.classes]
    return [None if v is None else abs(v) for v in sizes], [], "bars: the statistic"


def _finite(value: object) -> float | None:
    """A number that can be drawn; a cut may be infinite where too few classes were compared."""
    return float(value) if isinstance(value, int | float) and isfinite(value) else None


def _accused(report: Contract, e: Evidence) -> list[int]:
    return [c for c in dict.fromkeys([*report.verdict.targets, *e.flagged]) if c < len(e.classes)]


def _order(report: Contract, e: Evidence, values: Sequence[float | None]) -> list[int]:
    """The accused, then the most suspicious; classes without a value last."""
    place = {c: i for i, c in enumerate(_accused(report, e))}
    sign = 1 if "median_size" in e.details else -1

    def key(c: int) -> tuple[int, bool, float]:
        value = values[c]
        return place.get(c, len(place)), value is None, sign * (value or 0.0)

    return sorted(range(len(values)), key=key)


def _bar(report: Contract, e: Evidence, index: int, length: float | None) -> Bar:
    accused = index in report.verdict.targets
    rate = report.evaluation.attack_success_rate.get(index) if report.evaluation and e.details.get("seeds") else None
    return Bar(
        name=class_label(report, index),
        value=_value(e, e.classes[index]),
        length=length or 0.0,
        success="" if rate is None else percent(rate),
        mark="target" if accused else "stands out" if index in e.flagged else "",
        accused=accused,
    )


def _measure(e: Evidence) -> str:
    if not is_share(e):
        return "statistic"
    return "strength" if "strength" in e.statistic else "share of picture"


def _value(e: Evidence, value: float | None) -> str:
    if value is None:
        return "none found" if is_share(e) else "-"
    return percent(value) if is_share(e) else f"{value:.3g}"
