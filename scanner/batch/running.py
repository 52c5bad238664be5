"""Run a batch: claim jobs in the store, have them done, keep what comes of them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from ..catalog import Catalog
from ..executors import Executor
from ..jobs import Job
from ..scratch import sweep
from ..store import Store, StoreError
from ..store.claims import Claims
from ..store.owner import BEAT
from .planning import BatchOptions, Plan, plan
from .tally import Tally, Watcher

__all__ = ["run_batch"]

_PAUSE = 1.0  # seconds between two looks at what other runs hold


def run_batch(
    catalog: Catalog, store: Store, executor: Executor, batch: BatchOptions, watcher: Watcher | None = None
) -> Tally:
    """Scan what the store does not know yet, and say where everything stands.

    Several runs on one store share the work; each waits until all of it is done, and goes on with what a dead one held.
    A run that is interrupted, by Ctrl-C, SIGTERM or anything worse, is gone on with by calling this again. A job that
    fails never stops the rest.

    Raises:
        OptionError, SamplesError: as ``plan``.
        StoreError: the store cannot be written, such as on a full disk; everything stored until then stays.
        KeyboardInterrupt: on Ctrl-C, SIGTERM or SIGHUP, after what was running has been ended.
    """
    sweep()
    planned = plan(catalog, batch)
    store.record(catalog, planned.keys, planned.jobs, batch.retry)
    with _terminable(), _held(store, planned) as claims:
        run = _Run(claims, executor, watcher or Watcher(), unscanned=len(catalog.unscanned))
        run.watcher.planned(run.tally())
        run.work()
        return run.tally()


class _Run:
    """One run's way through the jobs that it wants."""

    def __init__(self, claims: Claims, executor: Executor, watcher: Watcher, unscanned: int) -> None:
        self.claims, self.executor, self.watcher, self.unscanned = claims, executor, watcher, unscanned
        claims.reclaim()
        self.reused = sum(n for (state, _), n in claims.standing().items() if state in ("done", "failed"))

    def work(self) -> None:
        """Do what nobody else does, until nothing is left, here or there."""
        waited_for: list[str] = []
        while True:
            if first := self.claims.next():
                self._round(first)
            elif others := self.claims.others():
                if others != waited_for:
                    self.watcher.told(f"waiting for {', '.join(others)}, with what it scans for the same store")
                waited_for = others
                time.sleep(_PAUSE)
                self.claims.reclaim()
            else:
                return

    def tally(self) -> Tally:
        """Where the whole batch stands."""
        standing = self.claims.standing()
        states = dict.fromkeys(("waiting", "running", "done", "failed"), 0)
        for (state, _), number in standing.items():
            states[state] += number
        return Tally(
            total=sum(states.values()) + self.unscanned,
            done=states["done"],
            failed=states["failed"],
            unscanned=self.unscanned,
            waiting=states["waiting"] + states["running"],
            reused=self.reused,
            labels={label: number for (state, label), number in sorted(standing.items()) if state == "done"},
        )

    def _round(self, first: Job) -> None:
        """Everything that can be claimed now, and what becomes free meanwhile."""
        results = self.executor.run(_Drawn(first, self), self.watcher.moved)
        try:
            for job, outcome in results:
                self.claims.end(job, outcome)
                self.watcher.ended(job, outcome, self.tally())
        finally:
            if close := getattr(results, "close", None):
                close()


@dataclass(frozen=True)
class _Drawn:
    """Jobs, each claimed when it is drawn; the length is a guess, as other runs draw too."""

    first: Job
    run: _Run

    def __length_hint__(self) -> int:
        return 1 + sum(n for (state, _), n in self.run.claims.standing().items() if state == "waiting")

    def __iter__(self) -> Iterator[Job]:
        job: Job | None = self.first
        while job is not None:
            self.run.watcher.began(job)
            yield job
            job = self.run.claims.next()


@contextmanager
def _held(store: Store, planned: Plan) -> Iterator[Claims]:
    """The claims of a run that shows signs of life, given back in the end."""
    claims, ended = store.claims(planned.jobs), threading.Event()

    def live() -> None:
        while not ended.wait(BEAT):
            with suppress(StoreError):  # a store that cannot be written is noticed where a result is lost by it
                claims.beat()

    pulse = threading.Thread(target=live, daemon=True)
    pulse.start()
    try:
        yield claims
    finally:
        ended.set()
        pulse.join()
        with suppress(StoreError):  # then they are taken from this run when its process has ended
            claims.release()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is gone, are as good as Ctrl-C; what nohup ignores stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {n: signal.signal(n, interrupt) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
