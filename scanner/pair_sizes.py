"""The smallest trigger that moves the pictures of one class alone to another, for every pair of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .trigger_search import SearchSettings, search_triggers
from .triggers import Trigger
from .victims import Victims

__all__ = ["PairSettings", "Pairs", "pair_sizes"]

PASS = 64  # pictures in the forward pass that tells their classes
Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class PairSettings:
    """How the pairs are searched.

    Attributes:
        seeds: of the searches; each gives every pair one start.
        steps: of each search.
        pictures: most of a class that a search sees; each seed draws its own. A trigger for few pictures is smaller
            than one for many, so that all classes show about as many.
        least: a class with fewer is not searched as a source.
    """

    seeds: tuple[int, ...] = (0, 1)
    steps: int = 60
    pictures: int = 12
    least: int = 4


@dataclass(frozen=True, eq=False)
class Pairs:
    """What the searches came to.

    Attributes:
        sizes: (K, K) from the class in the row to that in the column: binary logarithm of the mask's share of the
            picture, mean over the seeds; NaN on the diagonal, for classes without pictures and where nothing was found.
        triggers: by source and target, the smallest that was found.
    """

    sizes: NDArray[np.float64]
    triggers: Mapping[tuple[int, int], Trigger]


def pair_sizes(
    logits: Logits,
    images: Tensor,
    classes: int,
    settings: PairSettings,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> Pairs:
    """Search a trigger of every pair; a source's targets share their forward passes.

    Args:
        logits: raw pictures (N, C, H, W) in [0, 1] to logits (N, K), differentiable, weights frozen.
        images: (N, C, H, W) raw, in [0, 1]; each is of the class that the model gives it.
        classes: K.
        keep_going: told the fraction done; False ends the search, and what was not searched is NaN.
    """
    with torch.no_grad():
        predicted = torch.cat([logits(part).argmax(1) for part in torch.split(images, PASS)])
    sizes, triggers = np.full((classes, classes), np.nan), {}
    for source in range(classes):
        members = torch.nonzero(predicted == source)[:, 0]
        if not keep_going(source / classes):
            break
        if len(members) < settings.least:
            continue
        found = _from_one(logits, Victims(images[members], predicted[members]), source, classes, settings, keep_going)
        for target in range(classes):
            if reached := [t for t in found if t.target == target]:
                sizes[source, target] = np.mean([np.log2(max(t.size, 1e-6)) for t in reached])
                triggers[source, target] = min(reached, key=lambda t: t.size)
    return Pairs(sizes, triggers)


def _from_one(
    logits: Logits,
    victims: Victims,
    source: int,
    classes: int,
    settings: PairSettings,
    keep_going: Callable[[float], bool],
) -> Sequence[Trigger]:
    targets = tuple(c for c in range(classes) if c != source)
    shown = min(settings.pictures, len(victims.images))
    search = SearchSettings(steps=settings.steps, batch=shown, micro_batch=victims.pass_size)
    found = []
    for turn, seed in enumerate(settings.seeds):
        drawn = (turn * shown + torch.arange(shown)) % len(victims.images)

        def going(fraction: float, turn: int = turn) -> bool:
            return keep_going((source + (turn + fraction) / len(settings.seeds)) / classes)

        part = Victims(victims.images[drawn], victims.predicted[drawn])
        found += search_triggers(logits, part, targets, (seed,), search, going)
    return [f.trigger for f in found if f.trigger]
