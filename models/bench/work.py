"""Work off independent tasks: alone or in processes, shared with other runs in the same folder."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

__all__ = ["claimed", "work_off"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def work_off(
    tasks: Sequence[Task], work: Callable[[Task], Result], lost: Callable[[Task, str], Result], jobs: int
) -> Iterator[Result]:
    """The results of all tasks, each as soon as it is known.

    Args:
        work: of the top level of a module, so that it can be called in another process.
        lost: called instead where the process that worked on a task died, with what can be said of that.
        jobs: how many at once; one works in this process, more in fresh ones, each with one thread.
    """
    if jobs == 1:
        for task in tasks:
            with _one_thread():
                result = work(task)
            yield result
        return
    hands: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
    for _ in range(jobs):
        hands.put(_hand())
    with ThreadPoolExecutor(jobs) as threads:
        try:
            for future in as_completed([threads.submit(_handle, hands, task, work, lost) for task in tasks]):
                yield future.result()
        finally:
            threads.shutdown(cancel_futures=True)
            for _ in range(jobs):
                hands.get().shutdown(cancel_futures=True)


def _handle(
    hands: SimpleQueue[ProcessPoolExecutor],
    task: Task,
    work: Callable[[Task], Result],
    lost: Callable[[Task, str], Result],
) -> Result:
    """One process at a time works on a task, so that it is known which task ended it."""
    hand = hands.get()
    try:
        return hand.submit(work, task).result()
    except BrokenProcessPool:
        hand.shutdown()
        hand = _hand()
        return lost(task, "the process that worked on it died; it may have run out of memory")
    finally:
        hands.put(hand)


def _hand() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_enter_worker)


def _enter_worker() -> None:
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"  # read by onnxruntime's sessions
    torch.set_num_threads(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for torch and onnxruntime, so that times compare and results do not depend on the cores."""
    import torch

    threads, told = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    _enter_worker()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if told is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = told


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process may make that file now; False while another one does.

    A claim ends with its process, however that ends. Look for the file once it is yours: it may have been made in the
    meantime. Where the system has no such locks, every process may.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            lock.unlink(missing_ok=True)
