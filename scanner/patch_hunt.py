"""Look for the smallest patch of every class: random ones first, then the best of them evolve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .patch_evolution import EvolutionSettings, Strain, evolve
from .patch_oracle import Oracle, Spent
from .patches import Grid, Patches, donors, random_patches
from .triggers import Trigger

__all__ = ["HuntSettings", "hunt", "strengthen"]

_CALLS = 5  # patches of each class that are looked at again on all pictures before one is chosen
_PART = 256  # random patches tried between looks at the clock


@dataclass(frozen=True, kw_only=True)
class HuntSettings:
    """How a hunt goes; what is not told here is told in ``EvolutionSettings``.

    Attributes:
        patches: random patches that each seed tries first.
        small: largest share of the picture that the small strain of each class may cover; the other strain starts at
            whatever works, if need be a whole picture of the class, so that every class has a size to compare with.
    """

    patches: int
    small: float
    evolution: EvolutionSettings


def hunt(
    oracle: Oracle,
    classes: int,
    seeds: tuple[int, ...],
    s: HuntSettings,
    rng: np.random.Generator,
    told: Callable[[float], None],
) -> list[Trigger]:
    """The smallest working patch that was found for every seed and class, as far as there is one."""
    try:
        strains = [_founders(oracle, classes, s, rng) for _ in seeds]
    except Spent:
        return []
    of_seed = np.repeat(seeds, [len(strain.targets) for strain in strains])
    ended = evolve(oracle, _joined(strains), s.evolution, rng, told)
    found = []
    for seed in seeds:
        for target in range(classes):
            mine = np.flatnonzero((of_seed == seed) & (ended.targets == target) & (ended.success >= s.evolution.asr))
            if len(mine):
                row = mine[ended.patches.size[mine].argmin()]
                found.append(_trigger(oracle.grid, ended, row, seed))
    return found


def strengthen(
    oracle: Oracle,
    triggers: list[Trigger],
    growth: float,
    settings: EvolutionSettings,
    rng: np.random.Generator,
) -> list[Trigger]:
    """The triggers with up to ``growth`` times the cells, and two more at least, used to work more surely."""
    if not triggers:
        return []
    grid = oracle.grid
    patches = _patches(grid, triggers)
    targets = np.array([t.target for t in triggers])
    caps = np.maximum(patches.size + 2, (patches.size * growth).astype(np.int64))
    caps = np.minimum(caps, patches.on[0].size)
    try:
        loss, success = oracle.on_target(patches, targets, np.arange(len(oracle.images)))
    except Spent:
        return triggers
    strain = Strain(patches, targets, caps, loss, success)
    ended = evolve(oracle, strain, replace(settings, shrink=False), rng)
    grown = [_trigger(grid, ended, row, t.seed, t.fraction) for row, t in enumerate(triggers)]
    return [g if g.search_asr >= t.search_asr else t for g, t in zip(grown, triggers, strict=True)]


def _founders(oracle: Oracle, classes: int, s: HuntSettings, rng: np.random.Generator) -> Strain:
    """A small and a large patch of every class to start from."""
    patches = random_patches(rng, oracle.grid, oracle.images, s.patches)
    some = rng.permutation(len(oracle.images))[: s.evolution.pictures]
    parts = [oracle.on_all_classes(patches.take(part), some) for part in _parts(len(patches))]
    loss, success = (np.concatenate(figures) for figures in zip(*parts, strict=True))
    cap = max(4, int(s.small * patches.on[0].size))
    small = patches.take(np.flatnonzero(patches.size <= cap))
    return _joined(
        [
            _best(oracle, small, loss[patches.size <= cap], np.full(classes, cap)),
            _large(oracle, patches, loss, success, s, rng),
        ]
    )


def _parts(count: int) -> list[NDArray[np.intp]]:
    return np.array_split(np.arange(count), max(1, count // _PART))


def _best(oracle: Oracle, patches: Patches, loss: NDArray[np.float64], caps: NDArray[np.int64]) -> Strain:
    """For each class the patch with the lowest loss on all pictures, among the few that were lowest on some."""
    classes = len(caps)
    called = np.argsort(loss, axis=0, kind="stable")[:_CALLS]  # (calls, K)
    targets = np.tile(np.arange(classes), len(called))
    candidates = patches.take(called.ravel())
    losses, successes = oracle.on_target(candidates, targets, np.arange(len(oracle.images)))
    chosen = losses.reshape(called.shape).argmin(0) * classes + np.arange(classes)
    return Strain(candidates.take(chosen), np.arange(classes), caps, losses[chosen], successes[chosen])


def _large(
    oracle: Oracle,
    patches: Patches,
    loss: NDArray[np.float64],
    success: NDArray[np.float64],
    s: HuntSettings,
    rng: np.random.Generator,
) -> Strain:
    """For each class the smallest random patch that works, or a whole picture of the class, or the best there is."""
    classes = loss.shape[1]
    caps = np.full(classes, patches.on[0].size)
    keys = np.where(success >= s.evolution.asr, patches.size[:, None], 1e6 + loss)
    strain = _best(oracle, patches, keys, caps)
    missing = [c for c in range(classes) if strain.success[c] < s.evolution.asr and (oracle.predicted == c).any()]
    if not missing:
        return strain
    whole = [rng.choice(np.flatnonzero(oracle.predicted == c)) for c in missing]
    gifts, rows = donors(oracle.grid, oracle.images[whole]), np.array(missing)
    losses, successes = strain.loss.copy(), strain.success.copy()
    losses[rows], successes[rows] = oracle.on_target(gifts, rows, np.arange(len(oracle.images)))
    return Strain(strain.patches.put(rows, gifts), strain.targets, caps, losses, successes)


def _joined(strains: list[Strain]) -> Strain:
    figures = ("targets", "caps", "loss", "success")
    return Strain(
        Patches.join(*(strain.patches for strain in strains)),
        *(np.concatenate([getattr(strain, name) for strain in strains]) for name in figures),
    )


def _trigger(grid: Grid, strain: Strain, row: int, seed: int, minimal: float | None = None) -> Trigger:
    mask = grid.pixels(strain.patches.on[row]).astype(np.float32)
    pattern = grid.pixels(strain.patches.colour[row]).astype(np.float32)
    return Trigger(int(strain.targets[row]), mask, pattern, int(seed), float(strain.success[row]), minimal)


def _patches(grid: Grid, triggers: list[Trigger]) -> Patches:
    masks = grid.cells(np.stack([t.mask for t in triggers])) > 0
    return Patches(masks, grid.cells(np.stack([t.pattern for t in triggers])))
