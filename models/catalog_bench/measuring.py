"""Numbers of the run with the kills: time, memory, sizes."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import dataclass

from . import Expected
from .driver import Place
from .killing import Ordeal
from .ledger import ended_jobs, peaks, tries
from .pace import answers_of

__all__ = ["Numbers", "measured"]


@dataclass(frozen=True)
class Numbers:
    """Of one run with kills.

    Attributes:
        names, jobs: of the catalog.
        kills: kind -> how many.
        begun: how often a job was begun; more than ``jobs`` by what the kills have cost.
        labels: label -> names that have it in the end.
        seconds: of all runs together.
        again_seconds: of the same command once more, with nothing left to do.
        memory_median, memory_largest: of one scan's process in bytes.
        driver_memory: largest of the process that hands out the scans, in bytes.
        store_bytes: of the store.
        html_bytes, html_seconds: of ``onnxray results -f html`` over all.
    """

    names: int
    jobs: int
    kills: dict[str, int]
    begun: int
    labels: dict[str, int]
    seconds: float
    again_seconds: float
    memory_median: int
    memory_largest: int
    driver_memory: int
    store_bytes: int
    html_bytes: int
    html_seconds: float


def measured(place: Place, expected: Expected, ordeal: Ordeal) -> Numbers:
    """Run the command once more, write the HTML document, and read the rest from the store."""
    from .building import CATALOG

    started = time.monotonic()
    if ordeal.code is not None:
        ordeal.snapshots.append(ended_jobs(ordeal.store))  # what is done once more now would be done again
        place.scan([CATALOG], ordeal.store, 2, manifest=True).wait()
    again, page = time.monotonic() - started, place.folder / "catalog.html"
    started = time.monotonic()
    place.results(ordeal.store, "-f", "html", "-o", str(page))
    html_seconds, memory = time.monotonic() - started, peaks(ordeal.store) or [0]
    return Numbers(
        names=len(expected.names),
        jobs=expected.jobs,
        kills=dict(sorted(ordeal.kills.items())),
        begun=tries(ordeal.store),
        labels=dict(Counter(label for label, _, _ in answers_of(ordeal.store).values()).most_common()),
        seconds=ordeal.seconds,
        again_seconds=again,
        memory_median=int(statistics.median(memory)),
        memory_largest=memory[-1],
        driver_memory=ordeal.driver_memory,
        store_bytes=ordeal.store.stat().st_size,
        html_bytes=page.stat().st_size if page.exists() else 0,
        html_seconds=html_seconds,
    )
