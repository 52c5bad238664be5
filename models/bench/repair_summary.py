"""Records of repairs in, figures out: ``OUT/repair.json``, ``onnxray/repair-benchmark/1``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import mean, median

from .record import read_all
from .repairing import AUTO, RepairRecord
from .sheets import Sheet, share
from .statistics import Share

__all__ = ["RepairBenchmark", "RepairGroup", "RepairResult", "load_repairs", "repair_sheets", "summarise_repairs"]

CLOSED, TOLERANCE = 0.05, 0.015  # attack success that may be left, clean accuracy that may be lost


@dataclass(frozen=True, kw_only=True)
class RepairGroup:
    """What one method with so many clean samples does to models of one attack; ``attack`` is "" for all.

    A model that a method does nothing to, or breaks on, counts as it was.

    Attributes:
        repaired: models that the method changed.
        attack_before, attack_after: mean success of the true trigger, in [0, 1].
        accuracy_lost: mean, in [0, 1]; negative where it rose.
        closed: models whose true trigger works on 5 % or less, at 1.5 points of clean accuracy or less.
        halved: models whose true trigger works half as often as before or less.
    """

    method: str
    samples: int
    attack: str
    repaired: Share
    attack_before: float
    attack_after: float
    accuracy_lost: float
    closed: Share
    halved: Share
    median_seconds: float


@dataclass(frozen=True, kw_only=True)
class RepairResult:
    """One model that a method did not close; ``why``: what the method says."""

    method: str
    samples: int
    name: str
    attack: str
    attack_after: float
    accuracy_lost: float
    why: str


@dataclass(frozen=True, kw_only=True)
class RepairBenchmark:
    """All of it, of one part of the zoo; models of text, which no repair is made for, are counted only."""

    schema: str = "onnxray/repair-benchmark/1"
    part: str
    versions: tuple[str, ...]
    not_applicable: int
    overall: tuple[RepairGroup, ...]
    by_attack: tuple[RepairGroup, ...]
    left_open: tuple[RepairResult, ...]


def load_repairs(folder: Path, part: str) -> list[RepairRecord]:
    """The records of repairs of one part, which may be none.

    Raises:
        SamplesError: one is damaged.
    """
    found = read_all(folder / "repairs", RepairRecord)
    return sorted((r for r in found if r.part == part), key=lambda r: (r.method != AUTO, r.method, -r.samples, r.name))


def summarise_repairs(records: Sequence[RepairRecord], part: str) -> RepairBenchmark:
    """The figures of these records, of which there must be one."""
    rows = [r for r in records if r.status != "does-not-apply"]
    runs = [list(members) for _, members in groupby(rows, key=lambda r: (r.method, r.samples))]
    return RepairBenchmark(
        part=part,
        versions=tuple(sorted({r.version for r in records})),
        not_applicable=len({r.name for r in records} - {r.name for r in rows}),
        overall=tuple(_group("", run) for run in runs),
        by_attack=tuple(_group(attack, [r for r in run if r.attack == attack]) for run in runs for attack in _of(run)),
        left_open=tuple(_result(r) for r in rows if r.method == AUTO and not _closed(r)),
    )


def _of(run: Sequence[RepairRecord]) -> list[str]:
    return sorted({r.attack for r in run})


def _group(attack: str, rows: Sequence[RepairRecord]) -> RepairGroup:
    return RepairGroup(
        method=rows[0].method,
        samples=rows[0].samples,
        attack=attack,
        repaired=Share.of([r.status == "done" for r in rows]),
        attack_before=mean(_before(r) for r in rows),
        attack_after=mean(_after(r) for r in rows),
        accuracy_lost=mean(_lost(r) for r in rows),
        closed=Share.of([_closed(r) for r in rows]),
        halved=Share.of([_after(r) <= _before(r) / 2 for r in rows]),
        median_seconds=median(r.seconds for r in rows),
    )


def _result(r: RepairRecord) -> RepairResult:
    return RepairResult(
        method=r.method, samples=r.samples, name=r.name, attack=r.attack, attack_after=_after(r),
        accuracy_lost=_lost(r), why=r.note,
    )  # fmt: skip


def _before(r: RepairRecord) -> float:
    """In [0, 1]; a repair that failed before anything was measured counts with what the zoo says."""
    hits, trials = r.attack_before
    return hits / trials if trials else r.attack_success or 0.0


def _after(r: RepairRecord) -> float:
    hits, trials = r.attack_after
    return hits / trials if trials else _before(r)


def _lost(r: RepairRecord) -> float:
    before, after = (hits / trials if trials else 0.0 for hits, trials in (r.accuracy_before, r.accuracy_after))
    return before - after


def _closed(r: RepairRecord) -> bool:
    return _after(r) <= CLOSED and _lost(r) <= TOLERANCE + 1e-9


def repair_sheets(found: RepairBenchmark) -> Iterator[Sheet]:
    """As tables; the attacks side by side for the methods with the usual number of samples."""
    head = ("method", "samples", "changed", "true ASR", "accuracy", "closed", "halved", "s")
    rows = [
        (
            g.method, str(g.samples), f"{g.repaired.hits}/{g.repaired.trials}", _change(g), _points(g.accuracy_lost),
            share(g.closed), share(g.halved), f"{g.median_seconds:.1f}",
        )
        for g in found.overall
    ]  # fmt: skip
    note = (
        "Means over the trojaned models; accuracy in points. Closed: the true trigger works on 5 % or less at 1.5 "
        "points of clean accuracy or less; halved: half as often as before. Shares with 95 % Wilson intervals."
    )
    note += f" Models of text, which no repair is made for: {found.not_applicable}." if found.not_applicable else ""
    yield Sheet(f"Repairs, part {found.part}", head, tuple(rows), note)
    yield _by_attack(found)
    open_rows = [
        (r.name, str(r.samples), r.attack, f"{r.attack_after:.0%}", _points(r.accuracy_lost), r.why)
        for r in found.left_open
    ]
    if open_rows:
        told = ("model", "samples", "attack", "ASR left", "accuracy", "why")
        yield Sheet("Not closed by auto", told, tuple(open_rows))


def _by_attack(found: RepairBenchmark) -> Sheet:
    columns = list(dict.fromkeys((g.method, g.samples) for g in found.overall))
    cells = {(g.method, g.samples, g.attack): g for g in found.by_attack}
    rows = []
    for attack in sorted({g.attack for g in found.by_attack}):
        told = [cells.get((*column, attack)) for column in columns]
        rows.append((attack, *("-" if g is None else f"{g.attack_after:.0%} {_points(g.accuracy_lost)}" for g in told)))
    head = ("attack", *(f"{method} ({samples})" for method, samples in columns))
    return Sheet("Repairs by attack: true ASR that is left, and points of accuracy", head, tuple(rows))


def _change(g: RepairGroup) -> str:
    return f"{g.attack_before:.0%} to {g.attack_after:.0%}"


def _points(lost: float) -> str:
    return f"{-100 * lost:+.1f}"
