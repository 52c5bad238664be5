"""Where a batch stands, gathered from what its watcher is told, for whatever shows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..batch import Tally
    from ..jobs import Job

__all__ = ["BatchState", "Running", "Snapshot"]


@dataclass(frozen=True)
class Running:
    """One model that is being scanned: what its worker does now, the fraction done in [0, 1], and since how long."""

    name: str
    text: str = "starting"
    fraction: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """A batch at one moment.

    Attributes:
        total: of all models; 0 before it is known.
        settled: models about which there is nothing left to do: scanned, failed, or not to be scanned at all.
        labels: label of an answer -> how many; "waiting" is left out.
        running: in the order in which they began.
        per_minute: models ended in this run a minute; 0 before the first has.
        left: seconds that the rest takes at that rate; None before the first has ended.
    """

    total: int = 0
    settled: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    running: tuple[Running, ...] = ()
    per_minute: float = 0.0
    left: float | None = None

    @property
    def waiting(self) -> int:
        """Models that have not begun."""
        return max(0, self.total - self.settled - len(self.running))


class BatchState:
    """Told by any thread; ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock, self._start = clock, Lock(), clock()
        self._running: dict[str, tuple[float, Running]] = {}
        self._tally: Tally | None = None

    def planned(self, tally: Tally) -> None:
        """What there is to do, and what an earlier run has done."""
        with self._lock:
            self._tally, self._start = tally, self._clock()

    def began(self, job: Job) -> None:
        """A worker has taken a job."""
        with self._lock:
            self._running.setdefault(job.key, (self._clock(), Running(job.name)))

    def moved(self, job: Job, text: str, fraction: float) -> None:
        """A worker says what it is doing."""
        with self._lock:
            since, _ = self._running.get(job.key, (self._clock(), None))
            self._running[job.key] = since, Running(job.name, text, min(1.0, max(0.0, fraction)))

    def ended(self, job: Job, tally: Tally) -> None:
        """A job has ended, well or not."""
        with self._lock:
            self._running.pop(job.key, None)
            self._tally = tally

    def snapshot(self) -> Snapshot:
        """Where the batch stands now."""
        with self._lock:
            now, tally = self._clock(), self._tally
            running = tuple(
                Running(one.name, one.text, one.fraction, now - since) for since, one in self._running.values()
            )
            if tally is None:
                return Snapshot(running=running)
            seconds = max(now - self._start, 1e-9)
        settled = tally.done + tally.failed + tally.unscanned
        ended = settled - tally.unscanned - tally.reused
        to_do = max(0.0, tally.total - settled - sum(one.fraction for one in running))
        labels = dict(tally.labels) | {"error": tally.failed, "not scanned": tally.unscanned}
        left = to_do * seconds / ended if ended > 0 else None
        return Snapshot(tally.total, settled, labels, running, 60 * ended / seconds, left)
