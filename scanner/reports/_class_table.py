"""The table of classes of one detector, most suspicious first."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..findings import Evidence, Rate, Report
from ._triggers import lowest_success
from ._words import class_name, percent

__all__ = ["ROWS", "class_table", "is_share", "left_out"]

if TYPE_CHECKING:
    from .. import contract

ROWS = 12  # classes shown, unless more are flagged
NOMINATED = 3  # of a method that recovers no trigger
WIDE = 100  # columns from which there is room for a longer bar


def class_table(report: Report, evidence: Evidence, width: int) -> Table:
    """Class, name, the detector's statistic with a bar, measured attack success, and a mark for those accused."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    named = any(class_name(report, c) for c in range(len(evidence.classes)))
    table.add_column("class", justify="right")
    if named:
        table.add_column("name", no_wrap=True, max_width=24)
    table.add_column(_heading(evidence), justify="right", no_wrap=True)
    table.add_column("", width=30 if width >= WIDE else 12)
    table.add_column("attack success", no_wrap=True)
    table.add_column("")
    rates = lowest_success(report)
    for index in _order(report, evidence)[: _rows(report, evidence)]:
        cells = _cells(report, evidence, index, rates.get(index))
        table.add_row(
            *(cells if named else [cells[0], *cells[2:]]), style="bold" if index in report.verdict.targets else ""
        )
    return table


def left_out(report: Report, evidence: Evidence) -> int:
    """How many classes the table leaves out."""
    return max(0, len(evidence.classes) - _rows(report, evidence))


def _rows(report: Report, evidence: Evidence) -> int:
    return max(ROWS if evidence.triggers or is_share(evidence) else NOMINATED, len(_accused(report, evidence)))


def _accused(report: Report, evidence: Evidence) -> list[int]:
    return [c for c in dict.fromkeys([*report.verdict.targets, *evidence.flagged]) if c < len(evidence.classes)]


def _order(report: Report, evidence: Evidence) -> list[int]:
    """The accused, then small statistics before large, or large before small where those are suspicious."""
    place = {c: i for i, c in enumerate(_accused(report, evidence))}
    sign = -1 if evidence.large else 1

    def key(c: int) -> tuple[float, float]:
        value = evidence.classes[c]
        return place.get(c, inf), sign * value if isfinite(value) else inf

    return sorted(range(len(evidence.classes)), key=key)


def _heading(evidence: Evidence) -> str:
    if not is_share(evidence):
        return "statistic"
    return "% strength" if "strength" in evidence.statistic else "% of picture"


def is_share(evidence: Evidence | contract.Evidence) -> bool:
    """Whether the statistic is the size of a trigger as a share of the picture."""
    return any(word in evidence.statistic for word in ("share", "fraction"))


def _cells(report: Report, evidence: Evidence, index: int, rate: Rate | None) -> list[RenderableType]:
    value, accused = evidence.classes[index], index in report.verdict.targets
    return [
        str(index),
        Text(class_name(report, index)),
        _figure(value, is_share(evidence)),
        _bar(value, evidence, "red" if accused else "cyan"),
        f"{percent(rate.value)} ({rate.hits}/{rate.trials})" if rate else Text("-", style="dim"),
        _mark(report, evidence, index),
    ]


def _mark(report: Report, evidence: Evidence, index: int) -> Text:
    if index in report.verdict.targets:
        return Text("◀ target", style="red")
    return Text("◀ stands out", style="yellow") if index in evidence.flagged else Text()


def _figure(value: float, share: bool) -> Text:
    if not isfinite(value):
        return Text("none found" if share else "-", style="dim")
    return Text(percent(value) if share else f"{value:.3g}")


def _bar(value: float, evidence: Evidence, colour: str) -> ProgressBar:
    largest = max((abs(v) for v in evidence.classes if isfinite(v)), default=0.0)
    length = abs(value) if isfinite(value) else 0.0
    return ProgressBar(largest or 1.0, length, complete_style=colour, finished_style=colour, style="grey23")
