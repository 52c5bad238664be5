"""Search a class again, place by place: a label may have several triggers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .mask_places import places
from .trigger_descent import Logits
from .trigger_search import SearchSettings, search_triggers
from .trigger_strengthen import StrengthenSettings, strengthen
from .triggers import Trigger
from .victims import Victims

__all__ = ["FurtherSettings", "search_apart"]

OTHER_SEEDS = 1000  # between rounds
SPREAD = 2.0
"""How many times as large as a class's smallest trigger the others may be: a network that finds its trigger wherever it
is answers to somewhat larger ones all over the picture, which nobody planted."""


@dataclass(frozen=True, kw_only=True)
class FurtherSettings:
    """How often and how far a class is searched again.

    Attributes:
        rounds: most further searches; a class leaves after the first that finds nothing elsewhere.
        largest: size that a trigger may have, as a share of the picture.
        around: the room around a place that belongs to it, as a share of the picture's shorter side.
        search, strengthening: as in the first search.
    """

    rounds: int
    largest: float
    around: float
    search: SearchSettings
    strengthening: StrengthenSettings


@dataclass(frozen=True, eq=False)
class _Task:
    """A search of a class that is confined to some pixels (H, W); ``inside`` a place, or elsewhere than all so far."""

    target: int
    allowed: NDArray[np.float32]
    inside: bool


def search_apart(
    logits: Logits,
    victims: Victims,
    known: Iterable[Trigger],
    seeds: Sequence[int],
    settings: FurtherSettings,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> list[Trigger]:
    """Of each class that has several triggers, one for each place that is enough by itself.

    The smallest mask that turns all pictures may take a pixel of one trigger and a pixel of another, and knows nothing
    of a third. So each place of what was found is searched alone, and at the same time all the rest of the picture;
    what is found there is treated likewise, round after round. A class with one place only gives nothing.

    Source: Wang et al. 2019, section VII, find several triggers of a label by detecting, patching the model and
    detecting again; here places are barred instead, so that the model stays as it is.

    Args:
        known: as the first search found them, before they were given more room.
        seeds: of each round's searches, moved on from round to round.
        keep_going: told the fraction done; False ends the search with what there is.
    """
    groups = _by_class(known)
    taken = {c: np.zeros_like(found[0].mask) for c, found in groups.items()}
    alone: list[_Alone] = []
    for turn in range(1, settings.rounds + 1):
        tasks = list(_tasks(groups, taken, settings.around))
        moved = tuple(seed + OTHER_SEEDS * turn for seed in seeds)
        found = _search(logits, victims, tasks, moved, settings, keep_going)
        for target, group in groups.items():
            alone += _parts(group, [(task, of) for task, of in found if task.target == target and task.inside])
        groups = {task.target: of for task, of in found if not task.inside and _near(of, alone)}
        if not groups or not keep_going(turn / settings.rounds):
            break
    near = [one for one in alone if _near([one.trigger], alone)]
    several = [one for one in near if sum(other.trigger.target == one.trigger.target for other in near) > 1]
    return [_stronger(logits, victims, one, settings.strengthening, keep_going) for one in several]


@dataclass(frozen=True, eq=False)
class _Alone:
    """A trigger that works by itself, and the pixels (H, W) that it may use."""

    trigger: Trigger
    allowed: NDArray[np.float32]


def _parts(group: Sequence[Trigger], places: Sequence[tuple[_Task, Sequence[Trigger]]]) -> list[_Alone]:
    """The smallest trigger of each place that is enough; of all together where none is."""
    enough = [_Alone(_smallest(found), task.allowed) for task, found in places if found]
    return enough or [_Alone(_smallest(group), np.max([task.allowed for task, _ in places], axis=0))]


def _smallest(triggers: Sequence[Trigger]) -> Trigger:
    return min(triggers, key=lambda t: t.size)


def _near(found: Sequence[Trigger], alone: Sequence[_Alone]) -> bool:
    """Whether there is any, and one not much larger than the smallest of its class."""
    sizes = [a.trigger.size for a in alone for t in found[:1] if a.trigger.target == t.target]
    return bool(found) and _smallest(found).size <= SPREAD * min(sizes)


def _by_class(triggers: Iterable[Trigger]) -> dict[int, list[Trigger]]:
    groups: dict[int, list[Trigger]] = {}
    for trigger in sorted(triggers, key=lambda t: t.target):
        groups.setdefault(trigger.target, []).append(trigger)
    return groups


def _tasks(groups: dict[int, list[Trigger]], taken: dict[int, NDArray[np.float32]], around: float) -> Iterator[_Task]:
    """Each place of each class's triggers, and all that was never taken; what is new is taken from now on."""
    for target, triggers in groups.items():
        for place in places([t.mask for t in triggers], around):
            taken[target] = np.maximum(taken[target], place)
            yield _Task(target, place, inside=True)
        yield _Task(target, 1 - taken[target], inside=False)


def _search(
    logits: Logits,
    victims: Victims,
    tasks: Sequence[_Task],
    seeds: tuple[int, ...],
    settings: FurtherSettings,
    keep_going: Callable[[float], bool],
) -> list[tuple[_Task, list[Trigger]]]:
    """The small triggers of each task, of every seed."""
    allowed = torch.from_numpy(np.stack([task.allowed for task in tasks])[:, None])
    targets = tuple(task.target for task in tasks)
    ended = search_triggers(logits, victims, targets, seeds, settings.search, keep_going, allowed)
    rows = [[f.trigger for f in ended[i :: len(tasks)]] for i in range(len(tasks))]
    return [(t, [f for f in row if f and f.size <= settings.largest]) for t, row in zip(tasks, rows, strict=True)]


def _stronger(
    logits: Logits,
    victims: Victims,
    one: _Alone,
    settings: StrengthenSettings,
    keep_going: Callable[[float], bool],
) -> Trigger:
    inside = torch.from_numpy(one.allowed)[None, None]
    return strengthen(logits, victims, [one.trigger], settings, lambda: keep_going(1.0), inside)[0]
