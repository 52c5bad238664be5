"""One row for each model, for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from ..answers import Answer
from ..findings import Severity
from ..suppressions import accepted
from . import Document
from ._text import visible

if TYPE_CHECKING:
    from ..contract import Contract

__all__ = ["COLUMNS", "Csv"]

COLUMNS = (
    "name", "label", "score", "targets", "target_names", "reasons", "why", "accepted", "clean_accuracy",
    "attack_success_rate", "findings", "worst_finding", "checks_ran", "checks_skipped", "checks_failed", "group",
    "other_names", "sha256", "bytes", "state", "seconds", "tries", "ended", "worker", "checks_not_due",
)  # fmt: skip
"""Never renamed nor reordered; new ones are added at the end."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_SEVERITIES = tuple(Severity)
_BETWEEN = " | "


@dataclass(frozen=True, kw_only=True)
class Csv(Document):
    """A header and a row for each model; every cell is quoted, and none can be taken for a formula.

    A cell that begins like a formula has an apostrophe before it. Several values in one cell stand in the report's
    order with " | " between them.
    """

    def render(self, answers: Iterable[Answer]) -> Iterator[str]:
        """See ``Document.render``."""
        yield _row(COLUMNS)
        for answer in answers:
            cells = _cells(answer)
            yield _row([cells.get(column, "") for column in COLUMNS])


def _row(cells: Iterable[str]) -> str:
    line = StringIO()
    # All are quoted: where ";" separates columns, a name could otherwise begin a second cell, and with it a formula.
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow([_harmless(cell) for cell in cells])
    return line.getvalue()


def _harmless(cell: str) -> str:
    shown = visible(cell)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _cells(answer: Answer) -> dict[str, str]:
    known = {
        "name": answer.name,
        "label": answer.label,
        "why": answer.why,
        "accepted": _yes(accepted(answer)),
        "group": answer.group,
        "other_names": _BETWEEN.join(answer.names[1:]),
        "sha256": answer.sha256,
        "bytes": str(answer.size_bytes) if answer.sha256 else "",
        "state": str(answer.state),
        "seconds": f"{answer.seconds:.3f}",
        "tries": str(answer.tries),
        "ended": answer.ended,
        "worker": answer.worker,
        "reasons": answer.code,
    }
    return known if answer.report is None else known | _of_report(answer.report)


def _of_report(report: Contract) -> dict[str, str]:
    verdict, evaluation, names = report.verdict, report.evaluation, report.model.class_names
    checks = {
        said: [c.check for c in report.coverage if c.outcome == said] for said in ("skipped", "failed", "not due")
    }
    rates = evaluation.attack_success_rate if evaluation else {}
    every = [("every class", evaluation.moving.rate)] if evaluation and evaluation.moving else []
    return {
        "score": f"{verdict.score:.4f}",
        "targets": _BETWEEN.join(map(str, verdict.targets)),
        "target_names": _BETWEEN.join(names[c] if c < len(names) else "" for c in verdict.targets),
        "reasons": _BETWEEN.join(dict.fromkeys(verdict.reasons)),
        "why": verdict.explanations[0] if verdict.explanations else "",
        "clean_accuracy": f"{evaluation.clean_accuracy:.4f}" if evaluation else "",
        "attack_success_rate": _BETWEEN.join(f"{c}: {rate:.4f}" for c, rate in (*sorted(rates.items()), *every)),
        "findings": str(len(report.findings)),
        "worst_finding": max((f.severity for f in report.findings), key=_SEVERITIES.index, default=""),
        "checks_ran": str(sum(check.status == "ran" for check in report.coverage)),
        "checks_skipped": _BETWEEN.join(checks["skipped"]),
        "checks_failed": _BETWEEN.join(checks["failed"]),
        "checks_not_due": _BETWEEN.join(checks["not due"]),
    }


def _yes(value: bool) -> str:
    return "yes" if value else "no"
