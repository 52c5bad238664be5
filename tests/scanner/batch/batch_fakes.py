"""Catalogs without models and executors without scans, for the tests of batches."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnxray.scanner.batch import BatchOptions, Tally, Watcher, run_batch
from onnxray.scanner.catalog import Catalog, Entry, Unscanned
from onnxray.scanner.executors import Executor
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.store import Store

FILES = {"neural-cleanse-trigger.png": b"\x89PNG picture", "arrays.npz": bytes(range(256))}


def entry(name: str, number: int, **changes: Any) -> Entry:
    """A model that is nowhere; equal numbers have equal bytes."""
    return Entry(name, Path("/nowhere") / name, f"{number:064x}", 1000 + number, **changes)


def catalog(count: int, *unscanned: Unscanned) -> Catalog:
    """Models of different bytes."""
    return Catalog(tuple(entry(f"models/m{n:03}.onnx", n) for n in range(count)), unscanned)


def report(name: str = "m.onnx", label: str = "clean", reasons: tuple[str, ...] = (), score: float = 0.1) -> str:
    """The least that a report may hold."""
    model = {
        "path": name, "sha256": "0" * 64, "bytes": 1, "producer": "", "opset": 17, "classes": 10, "class_names": [],
        "input": {"name": "x", "shape": [], "layout": None, "range": None, "dtype": "", "preprocessing": None},
        "converted": "",
    }  # fmt: skip
    verdict = {"label": label, "score": score, "targets": [], "reasons": reasons, "explanations": reasons}
    empty: dict[str, Any] = {key: [] for key in ("evidence", "findings", "coverage", "proofs")}
    nothing: dict[str, Any] = {"evaluation": None, "parity": None, "timings": {}, "options": {}, "versions": {}}
    tool = {"name": "onnxray", "version": "0"}
    whole = {"schema": "onnxray/report/1", "tool": tool, "model": model, "verdict": verdict, "limits": ""}
    return json.dumps(whole | empty | nothing)


def done(job: Job, label: str = "clean", **changes: Any) -> Outcome:
    """A scan that came to its end."""
    return Outcome(report=report(job.name, label), files=FILES, seconds=2.0, worker="host:1", **changes)


@dataclass
class OneByOne(Executor):
    """Does the jobs in this process, in order.

    Attributes:
        work: what it does with each.
        begun: the names, in order.
        closed: whether the last round ended its iterator.
    """

    work: Callable[[Job], Outcome] = done
    begun: list[str] = field(default_factory=list)
    closed: bool = False

    def run(
        self, jobs: Iterable[Job], moved: Callable[[Job, str, float], None] = lambda job, text, fraction: None
    ) -> Iterator[tuple[Job, Outcome]]:
        """See ``Executor.run``."""
        self.closed = False
        try:
            for job in jobs:
                self.begun.append(job.name)
                moved(job, "looking", 0.5)
                yield job, self.work(job)
        finally:
            self.closed = True


class Notes(Watcher):
    """Everything that a watcher was told, in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.tallies: list[Tally] = []

    def planned(self, tally: Tally) -> None:
        """See ``Watcher``."""
        self.lines.append(("planned", ""))
        self.tallies.append(tally)

    def began(self, job: Job) -> None:
        """See ``Watcher``."""
        self.lines.append(("began", job.name))

    def moved(self, job: Job, text: str, fraction: float) -> None:
        """See ``Watcher``."""
        self.lines.append(("moved", job.name))

    def ended(self, job: Job, outcome: Outcome, tally: Tally) -> None:
        """See ``Watcher``."""
        self.lines.append(("ended", job.name))
        self.tallies.append(tally)

    def told(self, line: str) -> None:
        """See ``Watcher``."""
        self.lines.append(("told", line))


def scan(
    store: Path, what: Catalog, executor: Executor | None = None, watcher: Watcher | None = None, **batch: Any
) -> Tally:
    """One run on a store."""
    with Store.open(store) as opened:
        return run_batch(what, opened, executor or OneByOne(), BatchOptions(**batch), watcher)


def table(store: Path) -> Mapping[tuple[str, ...], tuple[str, int]]:
    """Names -> label and number of tries of every answer."""
    with Store.open(store, create=False) as opened:
        return {answer.names: (answer.label, answer.tries) for answer in opened.answers()}


def slumber(seconds: float, progress: Callable[[str, float], None]) -> float:
    """Run in a confined process: say so, and do nothing."""
    progress("asleep", 0.0)
    time.sleep(seconds)
    return seconds


def killed(progress: Callable[[str, float], None]) -> float:
    """Run in a confined process: end as the memory killer ends processes."""
    progress("doomed", 0.0)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0
