"""How a batch is going, on standard error: a live view on a terminal, plain lines elsewhere, nothing if asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import rich_click as click
from rich.console import Console
from rich.live import Live

from ...converters.messages import one_line
from ..batch import Watcher
from .batch_state import BatchState, Snapshot
from .batch_view import BatchView, counts, lasting
from .terminal import LOOKS

if TYPE_CHECKING:
    from ..batch import Tally
    from ..jobs import Job, Outcome

__all__ = ["BatchProgress", "PlainProgress", "batch_progress"]

SYMBOLS = " " + "".join(symbol for symbol, _ in LOOKS.values())
SUMMARY_EVERY = 60.0  # seconds between lines that say how far a long batch is


class BatchProgress(Watcher):
    """Keeps the state that a live view draws; ``line`` gets what is told in words."""

    def __init__(
        self, line: Callable[[str], None] = lambda line: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state, self._line = BatchState(clock), line

    def planned(self, tally: Tally) -> None:
        """See ``Watcher``."""
        self.state.planned(tally)
        if tally.reused:
            self._line(f"onnxray: {tally.reused} of {tally.total - tally.unscanned} scans are known from before")

    def began(self, job: Job) -> None:
        """See ``Watcher``."""
        self.state.began(job)

    def moved(self, job: Job, text: str, fraction: float) -> None:
        """See ``Watcher``."""
        self.state.moved(job, text, fraction)

    def ended(self, job: Job, outcome: Outcome, tally: Tally) -> None:
        """See ``Watcher``."""
        self.state.ended(job, tally)

    def told(self, line: str) -> None:
        """See ``Watcher``."""
        self._line(f"onnxray: {one_line(line, 1000)}")


class PlainProgress(BatchProgress):
    """A line for each model that has ended, and now and then a line that says how far the batch is."""

    def __init__(self, line: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(line, clock)
        self._clock, self._told = clock, clock()

    def moved(self, job: Job, text: str, fraction: float) -> None:
        """See ``Watcher``."""
        super().moved(job, text, fraction)
        self._now_and_then()

    def ended(self, job: Job, outcome: Outcome, tally: Tally) -> None:
        """See ``Watcher``."""
        super().ended(job, outcome, tally)
        now = self.state.snapshot()
        why = f": {one_line(outcome.error)}" if outcome.error else ""
        what = f"{_label(outcome)} {one_line(job.name, 1000)} ({lasting(outcome.seconds)}){why}"
        self._line(f"[{now.settled}/{now.total}] {what}")
        self._now_and_then()

    def _now_and_then(self) -> None:
        if self._clock() - self._told >= SUMMARY_EVERY:
            self._told = self._clock()
            self._line(f"onnxray: {summary(self.state.snapshot())}")


def summary(now: Snapshot) -> str:
    """Where a batch stands, in one line."""
    standing = ", ".join(part.plain.lstrip(SYMBOLS) for part in counts(now))
    pace = f"; {now.per_minute:.1f} a minute" if now.per_minute else ""
    left = f", about {lasting(now.left)} left" if now.left is not None else ""
    return f"{now.settled} of {now.total} models: {standing}{pace}{left}"


def _label(outcome: Outcome) -> str:
    """The verdict's label; the report's JSON is read for nothing else."""
    if not outcome.lasting:
        return "to be tried again:"
    return msgspec.json.decode(outcome.report, type=_Report).verdict.label if outcome.report else "error"


class _Verdict(msgspec.Struct):
    label: str


class _Report(msgspec.Struct):
    verdict: _Verdict


@contextmanager
def batch_progress(quiet: bool) -> Iterator[BatchProgress]:
    """A watcher that shows what it is told; the live view is gone when the batch ends, as the table is what stays."""
    console = Console(stderr=True, highlight=False, markup=False)
    if quiet or not console.is_terminal:
        yield BatchProgress() if quiet else PlainProgress(lambda line: click.echo(line, err=True))
        return
    watcher = BatchProgress(console.print)
    view = BatchView(watcher.state.snapshot)
    with Live(view, console=console, transient=True, redirect_stdout=False, refresh_per_second=4):
        yield watcher
