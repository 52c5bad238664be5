"""Worker processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import length_hint
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING

from ..errors import OptionError
from ..jobs import Outcome
from ..work import do
from . import Executor
from ._machine import this_machine
from ._packing import BASE, Packing, Slot

if TYPE_CHECKING:
    from ..jobs import Job

__all__ = ["Local"]


@dataclass(frozen=True, kw_only=True)
class Local(Executor):
    """Scan several models at once on this machine, each in a process of its own, packed by memory and by GPU.

    Attributes:
        workers: most scans at once; 0 for one a core, or fewer where memory is short.
        memory: bytes that all of them together may use; 0 for four fifths of what is free at the start.
        gpus: "auto" for all that CUDA_VISIBLE_DEVICES allows, "none", or numbers such as "0,1".
    """

    workers: int = 0
    memory: int = 0
    gpus: str = "auto"

    def run(
        self, jobs: Iterable[Job], moved: Callable[[Job, str, float], None] = lambda job, text, fraction: None
    ) -> Iterator[tuple[Job, Outcome]]:
        """See ``Executor.run``.

        Raises:
            OptionError: an impossible number of workers or bytes, or a GPU that is not there.
        """
        packing, crew = self._packing(length_hint(jobs, 0)), _Crew(moved)
        source, next_job = iter(jobs), None
        try:
            while True:
                while len(packing.held) < packing.workers:
                    next_job = next_job or next(source, None)
                    slot = next_job and packing.place(next_job)
                    if not (next_job and slot):
                        break
                    crew.start(next_job, slot)
                    next_job = None
                if not packing.held:
                    return
                job, outcome = crew.ended.get()
                packing.ended(job, outcome.peak_memory)
                yield job, outcome
        finally:
            crew.end()

    def _packing(self, jobs: int) -> Packing:
        if self.workers < 0 or self.memory < 0:
            raise OptionError(f"expected workers and memory of 0 or more, got {self.workers} and {self.memory}")
        machine = this_machine(self.gpus)
        memory = self.memory or machine.memory * 4 // 5
        workers = self.workers or max(1, min(machine.cores, memory // BASE))
        return Packing(machine, min(workers, jobs or workers), memory, hide_gpus=self.gpus == "none")


class _Crew:
    """Threads that each wait for one scan's process.

    The kernel ends that process with the thread that started it, so a thread lives as long as its scan.
    """

    def __init__(self, moved: Callable[[Job, str, float], None]) -> None:
        self.ended: Queue[tuple[Job, Outcome]] = Queue()
        self._moved, self._stop, self._threads = moved, Event(), list[Thread]()

    def start(self, job: Job, slot: Slot) -> None:
        """Begin a job."""
        thread = Thread(target=self._do, args=(job, slot), name=f"scan of {job.name}")
        thread.start()
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]

    def end(self) -> None:
        """End what is running, and wait until it has ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _do(self, job: Job, slot: Slot) -> None:
        outcome = Outcome(error="its thread ended before the scan did", lasting=False)
        try:
            outcome = do(job, partial(self._moved, job), share=slot.share, stop=self._stop.is_set)
        finally:
            self.ended.put((job, outcome))
