"""Every model that we are wrong about, with what the scan said in one clause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .benchmark import Mistake
from .scores import Scored

__all__ = ["mistakes"]


def mistakes(rows: Sequence[Scored]) -> Iterator[Mistake]:
    """Of records of ours: what failed, missed trojaned models, false alarms, and detections of a wrong class."""
    for row in rows:
        record = row.record
        if record.status == "failed":
            yield _mistake(row, "failed", record.error)
        elif record.trojaned and not row.flagged:
            yield _mistake(row, "missed", _missed(row))
        elif row.flagged and not record.trojaned:
            yield _mistake(row, "false alarm", f"{_reasons(row)}{_loudest(row, row.named)}")
        elif row.flagged and not row.hits:
            yield _mistake(row, "wrong class", f"names class {row.named}; {_missed(row)}")


def _mistake(row: Scored, kind: str, why: str) -> Mistake:
    r = row.record
    return Mistake(
        kind=kind,  # type: ignore[arg-type] # one of the four above
        samples=r.samples, name=r.name, attack=r.attack, label=row.label, score=row.score, best=row.best,
        targets=r.targets, why=why,
    )  # fmt: skip


def _missed(row: Scored) -> str:
    """Where the true class stands among the sums of signals, and its strongest signal."""
    record = row.record
    if not record.signals:
        return f"nothing was measured ({', '.join(record.reasons) or 'no reason told'})"
    total = np.asarray([_zeros(values) for values in record.signals.values()]).sum(0)
    true = max(record.targets, key=lambda c: float(total[c]))
    rank = 1 + int((total > total[true]).sum())
    place = "stands out most" if rank == 1 else f"is number {rank} of {len(total)}"
    return f"class {true} {place}{_loudest(row, true)}; {_reasons(row)}"


def _loudest(row: Scored, target: int | None) -> str:
    """The two strongest signals of a class."""
    if target is None or not row.record.signals:
        return ""
    values = {name: _zeros(row.record.signals[name])[target] for name in row.record.signals}
    loud = sorted((name for name in values if values[name] > 0), key=lambda name: -values[name])[:2]
    return f" ({', '.join(f'{name} {values[name]:.1f}' for name in loud)})" if loud else " (no signal)"


def _reasons(row: Scored) -> str:
    return ", ".join(row.record.reasons)


def _zeros(values: Sequence[float | None]) -> list[float]:
    return [0.0 if value is None else value for value in values]
