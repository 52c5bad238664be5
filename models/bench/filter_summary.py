"""Records of filters in, figures out: ``OUT/filters.json``, ``onnxray/filter-benchmark/1``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import mean, median

from .filtering import FilterRecord
from .record import OURS, read_all
from .sheets import Sheet, percent, share
from .statistics import Share

__all__ = ["FilterBenchmark", "FilterGroup", "filter_sheets", "load_filters", "summarise_filters"]

FOUND, PURE = 0.9, 0.9  # recall and precision from which a training set can be cleaned by a filter


@dataclass(frozen=True, kw_only=True)
class FilterGroup:
    """What one filter with so many clean pictures says of training sets; ``attack`` is "" for all of them.

    A filter that breaks on a training set has found nothing in it; a set that could not be made again is only counted.

    Attributes:
        precision, recall, f1: means over the poisoned training sets, in [0, 1]; None where there is none. The precision
            of a set in which nothing was found counts as 0.
        told: poisoned sets of which 90 % of the poisoned examples were found with a precision of 90 % or more.
        disturbed: sets without poison in which something was found.
        taken: mean share of the examples of such a set that would be thrown away.
    """

    who: str
    samples: int
    attack: str
    precision: float | None
    recall: float | None
    f1: float | None
    told: Share
    disturbed: Share
    taken: float | None
    failed: int
    median_seconds: float


@dataclass(frozen=True, kw_only=True)
class FilterBenchmark:
    """All of it, of one part of the zoo."""

    schema: str = "onnxray/filter-benchmark/1"
    part: str
    versions: tuple[str, ...]
    overall: tuple[FilterGroup, ...]
    by_attack: tuple[FilterGroup, ...]


def load_filters(folder: Path, part: str) -> list[FilterRecord]:
    """The records of filters of one part, which may be none.

    Raises:
        SamplesError: one is damaged.
    """
    found = read_all(folder / "filters", FilterRecord)
    return sorted((r for r in found if r.part == part), key=lambda r: (r.who != OURS, r.who, r.samples, r.name))


def summarise_filters(records: Sequence[FilterRecord], part: str) -> FilterBenchmark:
    """The figures of these records, of which there must be one."""
    runs = [list(members) for _, members in groupby(records, key=lambda r: (r.who, r.samples))]
    return FilterBenchmark(
        part=part,
        versions=tuple(sorted({r.version for r in records})),
        overall=tuple(_group("", run) for run in runs),
        by_attack=tuple(
            _group(attack, [r for r in run if r.attack == attack])
            for run in runs
            for attack in sorted({r.attack for r in run if r.poisoned})
        ),
    )


def _group(attack: str, rows: Sequence[FilterRecord]) -> FilterGroup:
    bad = [r.result for r in rows if r.poisoned]
    done = [r.seconds for r in rows if r.status == "done"]
    good = [r.result for r in rows if not r.poisoned and r.status == "done"]
    pure = [r.precision if r.found else 0.0 for r in bad]
    return FilterGroup(
        who=rows[0].who,
        samples=rows[0].samples,
        attack=attack,
        precision=mean(pure) if bad else None,
        recall=mean(r.recall for r in bad) if bad else None,
        f1=mean(r.f1 for r in bad) if bad else None,
        told=Share.of([r.recall >= FOUND and p >= PURE for r, p in zip(bad, pure, strict=True)]),
        disturbed=Share.of([r.found > 0 for r in good]),
        taken=mean(r.found / r.examples for r in good) if good else None,
        failed=sum(r.status == "failed" for r in rows),
        median_seconds=median(done) if done else 0.0,
    )


def filter_sheets(found: FilterBenchmark) -> Iterator[Sheet]:
    """As tables: the whole, and the F1 of each attack side by side."""
    head = ("filter", "clean pictures", "precision", "recall", "F1", "told", "clean sets disturbed", "taken", "s")
    rows = [
        (
            g.who, str(g.samples), percent(g.precision), percent(g.recall), percent(g.f1), share(g.told),
            share(g.disturbed), percent(g.taken), f"{g.median_seconds:.1f}",
        )
        for g in found.overall
    ]  # fmt: skip
    failed = [f"{g.who} ({g.samples}) {g.failed}" for g in found.overall if g.failed]
    yield Sheet(
        f"Poisoned examples in training sets, part {found.part}", head, tuple(rows),
        "Means over the poisoned sets. Told: 90 % of the poisoned examples found, with a precision of 90 % or more. "
        "Disturbed: sets without poison in which examples are called poisoned, and the mean share of them. Shares with "
        "95 % Wilson intervals." + (f" Sets that could not be looked at: {', '.join(failed)}." if failed else ""),
    )  # fmt: skip
    columns = list(dict.fromkeys((g.who, g.samples) for g in found.overall))
    cells = {(g.who, g.samples, g.attack): g for g in found.by_attack}
    lines = [
        (attack, *(_told(cells.get((*column, attack))) for column in columns))
        for attack in sorted({g.attack for g in found.by_attack})
    ]
    if lines:
        names = (f"{who} ({samples})" for who, samples in columns)
        yield Sheet("By attack: F1, and how many sets were told", ("attack", *names), tuple(lines))


def _told(g: FilterGroup | None) -> str:
    return "-" if g is None else f"{percent(g.f1)} {g.told.hits}/{g.told.trials}"
