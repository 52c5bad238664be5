"""Run independent pieces of torch work side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["Map", "one_thread", "side_by_side"]

Map = Callable[..., Iterator[Any]]


@contextmanager
def one_thread() -> Iterator[None]:
    """Every operator of torch in one thread: sums over a batch then round alike, however many cores there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def side_by_side(device: str) -> Iterator[tuple[Map, int]]:
    """A ``map`` that works on as many pieces at once as torch has threads, and that number.

    On a CPU every piece runs in one thread of its own instead of every operator in all threads: small networks spend
    their time at the barriers of parallel operators otherwise, and much more of it where other programs use the cores.
    Numbers below 1e-38 count as 0 there: the gradient of a sure answer is made of them, and they take a CPU a hundred
    times as long. On other devices this is the plain ``map``. torch has one
    thread count for the process: do not run two scans in one.
    """
    if not device.startswith("cpu"):
        # The arithmetic that the twin was compared in, and the same result every time.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield map, 1
        return
    workers = torch.get_num_threads()
    with one_thread(), ThreadPoolExecutor(workers, initializer=torch.set_flush_denormal, initargs=(True,)) as pool:
        yield pool.map, workers
