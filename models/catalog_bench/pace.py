"""Models a minute with one worker and with two, side by side, and undisturbed answers to compare with."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...scanner.store import Store
from . import Expected
from .building import CATALOG
from .driver import Place
from .ledger import ended_jobs

__all__ = ["Told", "Undisturbed", "answers_of", "undisturbed"]

Told = tuple[str, str, float]
"""Label, code of what was not scanned, and score: what of an answer may not depend on kills."""


@dataclass
class Undisturbed:
    """What runs that nobody disturbed have found.

    Attributes:
        answers: name -> what was told of it.
        rates: workers -> models a minute of each round.
        models: of one such run.
    """

    answers: dict[str, Told] = field(default_factory=dict)
    rates: dict[int, list[float]] = field(default_factory=lambda: {1: [], 2: []})
    models: int = 0


def undisturbed(
    place: Place, expected: Expected, sample: int, rounds: int, seed: int, told: Callable[[str], None]
) -> Undisturbed:
    """Scan samples of the plain models with one worker and with two, then all that is not plain; 0 for everything."""
    found, draw = Undisturbed(models=min(sample, len(expected.plain))), random.Random(seed)
    for number in range(rounds if sample else 0):
        chosen = sorted(draw.sample(expected.plain, found.models))
        for workers in (1, 2) if number % 2 == 0 else (2, 1):
            store = place.folder / f"round-{number}-of-{workers}.sqlite"
            found.rates[workers].append(_rate(place, chosen, store, workers))
            if workers == 2:  # as in the run with the kills: the number of threads is a scan's own affair
                found.answers |= answers_of(store)
            told(f"round {number + 1}, workers {workers}: {found.rates[workers][-1]:.1f} models a minute")
    store = place.folder / "undisturbed.sqlite"
    place.scan(expected.elsewhere if sample else [CATALOG], store, 2, manifest=True).wait()
    found.answers |= answers_of(store)
    told(f"undisturbed: {len(found.answers)} names")
    return found


def answers_of(store: Path) -> Mapping[str, Told]:
    """Every name in a store -> what is told of it."""
    with Store.open(store, create=False) as opened:
        return {
            name: (answer.label, answer.code, round(answer.report.verdict.score, 6) if answer.report else 0.0)
            for answer in opened.answers(files=False)
            for name in answer.names
        }


def _rate(place: Place, paths: Sequence[str], store: Path, workers: int) -> float:
    """Of the whole command, start and inventory included."""
    started = time.monotonic()
    place.scan(paths, store, workers).wait()
    return 60.0 * len(ended_jobs(store)) / (time.monotonic() - started)
