"""The trigger search beside the plain loop over classes, on one model, in one process."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ...kernels.stamp import plain_stamp
from ...scanner.class_screen import ScreenSettings, screen
from ...scanner.outliers import anomaly_index, cut
from ...scanner.trigger_search import SearchSettings, search_triggers
from ...scanner.trigger_sizes import class_sizes
from ...scanner.triggers import Trigger
from .peer_search import Loop, peer_search
from .question import Question
from .timing import Clock, Spread, process_seconds, spread

__all__ = ["SearchRow", "Side", "measure", "usual_settings"]

FEW_CLASSES = 10

Search = Callable[[], list[Trigger]]


@dataclass(frozen=True)
class Side:
    """What one of the two searches took, and found, over the classes it was asked for."""

    seconds_per_class: float
    """Median over the rounds."""
    forward: float
    """Pictures through the network for each class."""
    backward: float
    """Pictures that a gradient was taken for, for each class."""
    l1: dict[int, float]
    """Mask L1 by class, in pixels; a class without a trigger is left out."""
    success: dict[int, float]
    """Attack success by class, over all pictures that the model sees in another class."""
    flagged: list[int] | None
    """Classes whose mask is unusually small (5 % of clean models have one); None where not all were searched."""
    shares: dict[str, float]
    """Where the CPU time goes: the network's "forward" and "backward" passes, its "looks" without a gradient, and the
    "rest"; empty on a GPU."""


@dataclass(frozen=True)
class SearchRow:
    """Both searches on one model."""

    model: str
    classes: int
    pictures: int
    shape: tuple[int, ...]
    loop_classes: int
    """The loop ran for the first so many."""
    ours: Side
    loop: Side
    speedup: Spread
    """Seconds a class of the loop by ours, over the rounds."""
    l1_ratio: float | None
    """Median of our mask L1 by the loop's, over the classes for which both found a trigger."""
    many_over_few: Spread | None
    """With more than ten classes: screen and search of all, by the search of the first ten."""


@dataclass(frozen=True, eq=False)
class _Take:
    """One run of one search."""

    seconds: float
    forward: int
    backward: int
    triggers: list[Trigger]


def measure(
    asked: Question,
    *,
    rounds: int = 3,
    loop_classes: int = FEW_CLASSES,
    settings: SearchSettings | None = None,
    loop: Loop | None = None,
    seed: int = 0,
) -> SearchRow:
    """Search triggers of all classes at once and class after class, in turns.

    Each runs for a moment before, unmeasured. On a CPU everything runs in one thread and counts its CPU time, both
    with denormal numbers as zero; on a GPU the time is that of the wall.

    Args:
        asked: see ``question``.
        rounds: how often each of the two is timed.
        loop_classes: the loop is run for the first so many classes; its cost is told for each.
        settings, loop: schedules; None for the defaults.
        seed: of both searches and of the order.
    """
    settings, loop = settings or usual_settings(asked), loop or Loop()
    some = range(min(loop_classes, asked.classes))
    searches: dict[str, Search] = {
        "ours": lambda: _ours(asked, settings, range(asked.classes), seed),
        "loop": lambda: [t for target in some if (t := _one_of_loop(asked, target, loop, seed))],
    }
    many: dict[str, Search] = {
        "few": lambda: _ours(asked, settings, range(FEW_CLASSES), seed),
        "many": lambda: _screened(asked, settings, seed),
    }
    with _one_thread(asked):
        _warm_up(asked, settings, loop, seed)
        takes = _in_turns(asked, searches, rounds, seed)
        both = _in_turns(asked, many, rounds, seed) if asked.classes > FEW_CLASSES else None
        shares = {name: _shares(asked, search) for name, search in searches.items()}
    return _row(asked, takes, len(some), both, shares)


def _shares(asked: Question, search: Search) -> dict[str, float]:
    if asked.victims.images.is_cuda:
        return {}
    asked.seconds = {}
    total = process_seconds(search)
    spent, asked.seconds = {kind: s / total for kind, s in asked.seconds.items()}, None
    return {**spent, "rest": max(0.0, 1 - sum(spent.values()))}


def _warm_up(asked: Question, settings: SearchSettings, loop: Loop, seed: int) -> None:
    """One step of each: what is loaded at first use (torch's optimisers take a second) is no search."""
    _ours(asked, replace(settings, steps=1), range(min(FEW_CLASSES, asked.classes)), seed)
    _one_of_loop(asked, 0, replace(loop, epochs=1), seed)


def _row(
    asked: Question,
    takes: dict[str, list[_Take]],
    some: int,
    many: dict[str, list[_Take]] | None,
    shares: dict[str, dict[str, float]],
) -> SearchRow:
    ours = _side(asked, takes["ours"], asked.classes, shares["ours"])
    loop = _side(asked, takes["loop"], some, shares["loop"])
    both = sorted(ours.l1.keys() & loop.l1.keys())
    return SearchRow(
        model=asked.name,
        classes=asked.classes,
        pictures=len(asked.victims.images),
        shape=tuple(asked.victims.images.shape[1:]),
        loop_classes=some,
        ours=ours,
        loop=loop,
        speedup=_ratio(takes["loop"], takes["ours"], asked.classes / some),
        l1_ratio=statistics.median(ours.l1[c] / loop.l1[c] for c in both) if both else None,
        many_over_few=_ratio(many["many"], many["few"]) if many else None,
    )


def _ratio(these: Sequence[_Take], those: Sequence[_Take], scale: float = 1.0) -> Spread:
    return spread([scale * a.seconds / b.seconds for a, b in zip(these, those, strict=True)])


def _in_turns(asked: Question, searches: dict[str, Search], rounds: int, seed: int) -> dict[str, list[_Take]]:
    order, names = random.Random(seed), list(searches)
    clock = _wall_seconds if asked.victims.images.is_cuda else process_seconds
    takes: dict[str, list[_Take]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in order.sample(names, len(names)):
            takes[name].append(_taken(asked, searches[name], clock))
    return takes


def _taken(asked: Question, search: Search, clock: Clock) -> _Take:
    found: list[Trigger] = []
    asked.forward = asked.backward = 0
    seconds = clock(lambda: found.extend(search()))
    return _Take(seconds, asked.forward, asked.backward, found)


def _ours(asked: Question, settings: SearchSettings, targets: Sequence[int], seed: int) -> list[Trigger]:
    found = search_triggers(asked.logits, asked.victims, tuple(targets), (seed,), settings)
    return [f.trigger for f in found if f.trigger]


def _screened(asked: Question, settings: SearchSettings, seed: int) -> list[Trigger]:
    """What a scan does with many classes."""
    look = ScreenSettings(micro_batch=settings.micro_batch)
    chosen = screen(asked.logits, asked.victims, asked.classes, seed, look).chosen
    return _ours(asked, settings, chosen, seed)


def _one_of_loop(asked: Question, target: int, loop: Loop, seed: int) -> Trigger | None:
    found = peer_search(asked.logits, asked.victims.images, target, loop, seed)
    if found is None:
        return None
    mask, pattern = (t.cpu().numpy().astype(np.float32) for t in (found.mask[0], found.pattern))
    return Trigger(target, mask, pattern, seed, found.success)


def usual_settings(asked: Question) -> SearchSettings:
    """As many pictures in a forward pass as a scan has."""
    return SearchSettings(micro_batch=asked.victims.pass_size)


def _side(asked: Question, takes: Sequence[_Take], classes: int, shares: dict[str, float]) -> Side:
    triggers = takes[0].triggers  # each round finds the same
    return Side(
        seconds_per_class=statistics.median(t.seconds for t in takes) / classes,
        forward=takes[0].forward / classes,
        backward=takes[0].backward / classes,
        l1={t.target: t.l1 for t in triggers},
        success={t.target: _success(asked, t) for t in triggers},
        flagged=_flagged(triggers, classes) if classes == asked.classes else None,
        shares=shares,
    )


@torch.no_grad()
def _success(asked: Question, trigger: Trigger) -> float:
    images = asked.victims.images
    mask, pattern = (torch.from_numpy(a).to(images.device) for a in (trigger.mask[None, None], trigger.pattern[None]))
    stamped = (plain_stamp(part, mask, pattern)[0] for part in torch.split(images, 64))
    classes = torch.cat([asked.network(part).argmax(1) for part in stamped])
    return float(asked.victims.success(classes[None], torch.tensor([trigger.target], device=images.device)))


def _flagged(triggers: Sequence[Trigger], classes: int) -> list[int]:
    sizes = class_sizes(triggers, classes)
    index, found = anomaly_index(np.log(sizes)), int(np.isfinite(sizes).sum())
    return [c for c in range(classes) if index[c] > cut(found, 0.05)]


def _wall_seconds(call: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


@contextmanager
def _one_thread(asked: Question) -> Iterator[None]:
    """One thread on a CPU, and denormal numbers as zero for the loop, too, as our search has them."""
    threads = torch.get_num_threads()
    if not asked.victims.images.is_cuda:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
