"""Timings that can be compared: variants take turns in random order, and ratios are taken within a round.

A machine that others use, or that slows down when it is warm, is as slow for one variant as for its neighbour in the
same round; the median over rounds forgets the rounds that were disturbed.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

__all__ = [
    "Clock",
    "Spread",
    "clock_for",
    "cuda_seconds",
    "interleaved",
    "process_seconds",
    "ratios",
    "spread",
    "thread_seconds",
]

AHEAD = 2_000_000  # clock cycles, about a millisecond

Clock = Callable[[Callable[[], Any]], float]
"""Seconds that one call took."""


@dataclass(frozen=True)
class Spread:
    """A median with the quartiles on both sides of it."""

    median: float
    low: float
    high: float


def interleaved(
    variants: Mapping[str, Callable[[], Any]], rounds: int, seed: int = 0, clock: Clock | None = None
) -> dict[str, list[float]]:
    """Time every variant once a round, in an order that is shuffled for each.

    Args:
        variants: calls that do the same work; each is called once before, unmeasured, to compile and warm up.
        rounds: how many times each is timed.
        seed: of the order.
        clock: ``thread_seconds`` where not given: what other programs do then counts least.

    Returns:
        Seconds by name, one for each round, so that the lists can be compared item by item.
    """
    order = random.Random(seed)
    names = list(variants)
    for name in names:
        variants[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in order.sample(names, len(names)):
            seconds[name].append((clock or thread_seconds)(variants[name]))
    return seconds


def ratios(seconds: Mapping[str, Sequence[float]], reference: str) -> dict[str, Spread]:
    """How many times longer than the reference each variant took, by the rounds' own ratios; the reference is 1."""
    return {
        name: spread([a / b for a, b in zip(taken, seconds[reference], strict=True)]) for name, taken in seconds.items()
    }


def spread(numbers: Sequence[float]) -> Spread:
    """Median and quartiles; a single number is all three."""
    if len(numbers) < 2:
        return Spread(numbers[0], numbers[0], numbers[0])
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Spread(median, low, high)


def clock_for(device: torch.device | str) -> Clock:
    """CUDA events on a GPU; on a CPU this thread's time, or the process's where torch works on several threads."""
    if torch.device(device).type == "cuda":
        return cuda_seconds
    return thread_seconds if torch.get_num_threads() == 1 else process_seconds


def thread_seconds(call: Callable[[], Any]) -> float:
    """CPU time of this thread alone."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def process_seconds(call: Callable[[], Any]) -> float:
    """CPU time of all threads of this process."""
    start = time.process_time()
    call()
    return time.process_time() - start


def cuda_seconds(call: Callable[[], Any]) -> float:
    """Time that the GPU itself takes, between two events on the current stream.

    The GPU is kept busy while the call is put into its queue, so that this is not the time Python takes to do so;
    a call that waits for the GPU is measured with the waiting.
    """
    start, end = (torch.Event("cuda", enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    torch.cuda._sleep(AHEAD)  # type: ignore[no-untyped-call]
    start.record()
    call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3
