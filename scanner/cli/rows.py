"""What a table of models shows of each answer; light enough to keep for every model of a large catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...converters.messages import one_line
from .terminal import WORST_FIRST

if TYPE_CHECKING:
    from ..answers import Answer
    from ..contract import Contract

__all__ = ["Row", "families", "row_of", "worst_first"]


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        name: the first of its names, on one line.
        others: how many more names its bytes have.
        label: see ``Answer.label``.
        score: suspicion in [0, 1]; None without a verdict, and for one that is inconclusive.
        targets: target classes, such as "7".
        named: the same with their names, such as "7 (Sneaker)".
        code: of the main reason, or of what stood in the way.
        why: the same as a sentence.
        seconds: of the scan.
        group: see ``Answer``.
        accepted: whether everything that was found is suppressed.
    """

    name: str
    label: str
    others: int = 0
    score: float | None = None
    targets: str = ""
    named: str = ""
    code: str = ""
    why: str = ""
    seconds: float = 0.0
    group: str = ""
    accepted: bool = False


def row_of(answer: Answer, accepted: bool = False) -> Row:
    """The row of an answer; all text in it is fit for one line of a terminal."""
    row = Row(
        name=one_line(answer.name, 1000),
        label=answer.label,
        others=len(answer.names) - 1,
        code=answer.code,
        why=one_line(answer.why, 600),
        seconds=answer.seconds,
        group=one_line(answer.group, 1000),
        accepted=accepted,
    )
    return row if answer.report is None else replace(row, **_of_report(answer.report))


def _of_report(report: Contract) -> dict[str, Any]:
    verdict = report.verdict
    return {
        "score": None if verdict.label == "inconclusive" else verdict.score,
        "targets": _targets(report, ()),
        "named": _targets(report, report.model.class_names),
        "code": one_line(verdict.reasons[0], 60) if verdict.reasons else "",
        "why": one_line(verdict.explanations[0], 600) if verdict.explanations else "",
    }


def _targets(report: Contract, names: Sequence[str], most: int = 2) -> str:
    words = []
    for index in report.verdict.targets[:most]:
        name = one_line(names[index], 24) if index < len(names) else ""
        words.append(f"{index} ({name})" if name not in ("", str(index)) else str(index))
    rest = len(report.verdict.targets) - most
    return ", ".join(words) + (f" +{rest}" if rest > 0 else "")


def worst_first(row: Row) -> tuple[int, float, str]:
    """A key to sort by: label, then suspicion, then name."""
    return WORST_FIRST.index(row.label), -(row.score or 0.0), row.name


def families(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows worst first, with the variants of one group together, at the place of the worst of them."""
    ordered = sorted(rows, key=worst_first)
    place: dict[str, int] = {}
    for index, row in enumerate(ordered):
        place.setdefault(row.group or f"\n{row.name}", index)  # no group has a line break in its name
    ordered.sort(key=lambda row: place[row.group or f"\n{row.name}"])  # stable: within a group the order stays
    return [list(found) for _, found in groupby(ordered, key=lambda row: row.group or f"\n{row.name}")]
