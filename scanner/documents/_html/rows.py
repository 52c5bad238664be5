"""One row of the overview: all that is kept of a model until the page is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...findings import Label
from ...reports._words import SYMBOLS, class_label, file_size

if TYPE_CHECKING:
    from ...answers import Answer

__all__ = ["LABELS", "Row", "row_of", "symbol", "worry"]

LABELS = ("backdoored", "suspicious", "inconclusive", "error", "not scanned", "waiting", "clean")
"""What a row can be called, most worrying first."""

OTHERS = {"error": "!", "not scanned": "–", "waiting": "…"}
REASON = 200  # characters of the main reason


@dataclass(frozen=True, slots=True)
class Row:
    """What the overview tells of one model; ``rank`` orders labels, ``score`` is None where there is no answer."""

    number: int
    name: str
    more: int
    group: str
    label: str
    symbol: str
    rank: int
    score: float | None
    targets: tuple[str, ...]
    reason: str
    accepted: int
    size: int
    size_words: str
    seconds: float

    @property
    def found(self) -> str:
        """What the search box looks through."""
        return " ".join((self.name, self.group, self.label, *self.targets, self.reason)).lower()


def row_of(answer: Answer, number: int) -> Row:
    """The row of the answer with this number."""
    report = answer.report
    told = report.verdict.explanations if report else [answer.why]
    label = answer.label
    return Row(
        number=number,
        name=answer.name,
        more=len(answer.names) - 1,
        group=answer.group,
        label=label,
        symbol=symbol(label),
        rank=LABELS.index(label),
        score=report.verdict.score if report and label != Label.INCONCLUSIVE else None,
        targets=tuple(class_label(report, c) for c in report.verdict.targets) if report else (),
        reason=_short(told[0]) if told else "",
        accepted=len(answer.suppressed),
        size=answer.size_bytes,
        size_words=file_size(answer.size_bytes) if answer.size_bytes else "",
        seconds=answer.seconds,
    )


def worry(row: Row) -> tuple[int, float, int]:
    """Orders rows: the most worrying label first, of these the highest score, then as in the catalog."""
    return row.rank, -(row.score or 0.0), row.number


def symbol(label: str) -> str:
    """A sign that tells labels apart without colour."""
    return OTHERS.get(label) or next(sign for known, sign in SYMBOLS.items() if known == label)


def _short(text: str) -> str:
    return text if len(text) <= REASON else f"{text[: REASON - 1]}…"
