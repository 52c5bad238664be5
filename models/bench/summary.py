"""Records in, a benchmark out: how often each scanner is right, where, and what it owes to which method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median

from ...scanner.errors import SamplesError
from .benchmark import Ablation, Benchmark, Curve, Group, Result, Trust
from .mistakes import mistakes
from .record import OURS, Record
from .scores import Scored, Scorer, methods_of, rescored
from .statistics import At, Share, auc, curve, reliability, tpr_at

__all__ = ["LIMITS", "summarise"]

LIMITS = (0.01, 0.02, 0.05)  # of the false positive rate
HEADLINE = 200
NOBODY = ("",)  # left out: the score of all methods, without what a conviction raises it to
SIDES = ("attack", "network", "dataset")


def summarise(records: Sequence[Record], part: str, scorer: Scorer | None = None, calibration: str = "") -> Benchmark:
    """The benchmark of one part of the zoo.

    Args:
        scorer: what ours is ranked by; None for the verdict's own score.
        calibration: its name.

    Raises:
        SamplesError: there is no record of that part.
    """
    here = [record for record in records if record.part == part]
    if not here:
        found = ", ".join(sorted({record.part for record in records}))
        raise SamplesError(f"there is no record of the part {part!r}, only of {found}; run onnxray bench detection")
    runs = _runs(rescored(here, scorer))
    counts = sorted({samples for _, samples in runs})
    headline = HEADLINE if HEADLINE in counts else counts[-1]
    ours = {samples: rows for (who, samples), rows in runs.items() if who == OURS}
    return Benchmark(
        part=part,
        versions=tuple(sorted({record.version for record in here})),
        calibration=calibration,
        headline=headline,
        results=tuple(_result(who, samples, rows) for (who, samples), rows in runs.items()),
        groups=tuple(g for (who, samples), rows in runs.items() for g in _groups(who, samples, _apply(rows))),
        ablation=tuple(a for samples, rows in ours.items() for a in _ablation(samples, _apply(rows), scorer)),
        reliability=tuple(t for samples, rows in ours.items() for t in _trust(samples, _apply(rows))),
        curves=tuple(c for (who, samples), rows in runs.items() for c in _curve(who, samples, _apply(rows))),
        mistakes=tuple(m for rows in ours.values() for m in mistakes(_apply(rows))),
        notes=tuple(_notes(runs)),
    )


Runs = dict[tuple[str, int], list[Scored]]


def _runs(rows: Sequence[Scored]) -> Runs:
    """The records of each scanner with each number of samples; ours first."""

    def run(row: Scored) -> tuple[bool, str, int]:
        return row.record.who != OURS, row.record.who, row.record.samples

    return {key[1:]: list(members) for key, members in groupby(sorted(rows, key=run), run)}


def _apply(rows: Sequence[Scored]) -> list[Scored]:
    return [row for row in rows if row.record.status != "does-not-apply"]


def _split(rows: Sequence[Scored]) -> tuple[list[float], list[float]]:
    """The scores of the trojaned models, and of the clean ones."""
    return [r.score for r in rows if r.record.trojaned], [r.score for r in rows if not r.record.trojaned]


def _result(who: str, samples: int, every: Sequence[Scored]) -> Result:
    rows = _apply(every)
    trojaned, clean = ([r for r in rows if r.record.trojaned is kind] for kind in (True, False))
    aimed = [r for r in trojaned if len(r.record.targets) < max(2, r.record.classes)]
    scores = _split(rows)
    used = [r.record.samples_used for r in rows if r.record.status == "done"] or [0]
    return Result(
        who=who,
        samples=samples,
        trojaned=len(trojaned),
        clean=len(clean),
        not_applicable=len(every) - len(rows),
        failed=sum(r.record.status == "failed" for r in rows),
        samples_used=(min(used), max(used)),
        auc=auc(*scores),
        at=tuple(_within(*scores)),
        flagged=Share.of([r.flagged for r in trojaned]),
        false_alarms=Share.of([r.flagged for r in clean]),
        convicted=Share.of([r.record.convicted for r in trojaned]),
        false_convictions=Share.of([r.record.convicted for r in clean]),
        target_right=Share.of([r.hits for r in aimed if r.flagged]),
        best_right=Share.of([r.best is not None and r.best in r.record.targets for r in aimed]),
        median_seconds=median([r.record.seconds for r in rows]) if rows else 0.0,
    )


def _within(trojaned: Sequence[float], clean: Sequence[float]) -> Iterator[At]:
    yield from (at for limit in LIMITS if (at := tpr_at(trojaned, clean, limit)) is not None)


def _groups(who: str, samples: int, rows: Sequence[Scored]) -> Iterator[Group]:
    every_clean = _split(rows)[1]
    for by in SIDES:
        names = sorted({str(getattr(r.record, by)) for r in rows} - {""})
        for name in names:
            members = [r for r in rows if getattr(r.record, by) == name]
            yield Group(
                who=who,
                samples=samples,
                by=by,  # type: ignore[arg-type] # one of SIDES
                name=name,
                flagged=Share.of([r.flagged for r in members if r.record.trojaned]),
                false_alarms=Share.of([r.flagged for r in members if not r.record.trojaned]),
                auc=auc(_split(members)[0], every_clean),
            )


def _ablation(samples: int, rows: Sequence[Scored], scorer: Scorer | None) -> Iterator[Ablation]:
    records = [row.record for row in rows]
    whole = auc(*_split(rescored(records, scorer, NOBODY)))
    if scorer is None or whole is None:
        return
    for method in methods_of(records):
        left = auc(*_split(rescored(records, scorer, (method,))))
        if left is not None:
            yield Ablation(samples=samples, without=method, auc=left, lost=whole.value - left.value)


def _trust(samples: int, rows: Sequence[Scored]) -> Iterator[Trust]:
    done = [row for row in rows if row.record.status == "done"]
    found = reliability([row.score for row in done], [row.record.trojaned for row in done])
    if found is not None:
        yield Trust(samples=samples, reliability=found)


def _curve(who: str, samples: int, rows: Sequence[Scored]) -> Iterator[Curve]:
    trojaned, clean = _split(rows)
    if trojaned and clean:
        false, true = curve(trojaned, clean)
        yield Curve(who=who, samples=samples, false_positive_rate=tuple(false), true_positive_rate=tuple(true))


def _notes(runs: Runs) -> Iterator[str]:
    for samples in sorted({samples for _, samples in runs}):
        sets = {who: {r.record.name for r in rows} for (who, count), rows in runs.items() if count == samples}
        largest = max(sets.values(), key=len)
        short = [f"{who} {len(names)}" for who, names in sets.items() if names != largest]
        if short:
            told = ", ".join(short)
            yield f"With {samples} samples not everyone has answered for all {len(largest)} models yet: {told}."
    for (who, samples), rows in runs.items():
        if len({(r.record.version, r.record.config) for r in rows}) > 1:
            yield f"{who}, {samples} samples: records of different versions or settings are mixed; run it again."
