"""Scanned models whose truth is known, as a calibration learns from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan

from ...scanner.signals import Signals
from ..bench.record import OURS, Record

APART = ("all-to-all", "graph-backdoor")
"""Attacks that rules of their own convict (a trigger that moves every class, a witness for a gate): no class's signals
tell of them, so they teach nothing about signals."""

__all__ = ["Example", "examples", "with_less"]

DIFFUSE = 0.5
"""Share of the classes from which on an attack's targets do not stand out: no class is unusual where most are."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One scan.

    Attributes:
        targets: of the attack; empty for a clean model.
        weight: in the fit.
        samples: clean pictures that the scan was given.
    """

    name: str
    signals: Signals
    trojaned: bool
    targets: tuple[int, ...] = ()
    weight: float = 1.0
    samples: int = 1

    @property
    def classes(self) -> int:
        """K."""
        return len(next(iter(self.signals.values())))

    @property
    def diffuse(self) -> bool:
        """Whether the attack aims at so many classes that none stands out."""
        return self.trojaned and len(self.targets) >= DIFFUSE * self.classes


def examples(records: Iterable[Record], parts: Sequence[str]) -> list[Example]:
    """Our own finished scans of these parts that measured anything, but for attacks that are judged `APART`."""
    return [
        Example(
            name=f"{r.name} ({r.samples})",
            signals={name: tuple(nan if v is None else v for v in values) for name, values in r.signals.items()},
            trojaned=r.trojaned,
            targets=r.targets,
            samples=r.samples,
        )
        for r in records
        if r.who == OURS and r.part in parts and r.status == "done" and r.signals and r.attack not in APART
    ]


def with_less(example: Example, searches: Sequence[str]) -> Iterator[Example]:
    """The example, and what it would be with fewer methods: each search alone, all searches, all the others.

    So a weight is learnt for evidence that stands alone too, as it does where a method is skipped.
    """
    methods = sorted({name.split(".")[0] for name in example.signals})
    ran = [m for m in methods if m in searches]
    others = [m for m in methods if m not in searches]
    groups = [methods, *([m, *others] for m in ran), ran, others]
    kept = [tuple(sorted(group)) for group in groups if group]
    distinct = list(dict.fromkeys(kept))
    for group in distinct:
        left = {name: values for name, values in example.signals.items() if name.split(".")[0] in group}
        yield replace(example, signals=left, weight=example.weight / len(distinct))
