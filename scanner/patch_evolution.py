"""Make patches work, and then make them small, by keeping the changes that help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .patch_mutations import children
from .patch_oracle import Oracle, Spent
from .patches import Patches

__all__ = ["EvolutionSettings", "Strain", "evolve"]

_BROKEN = 1e6  # more than any number of cells
_ROWS = 256  # patches that change at once, to bound the memory


@dataclass(frozen=True, kw_only=True)
class EvolutionSettings:
    """How patches evolve.

    Attributes:
        generations: rounds of change and choice.
        offspring: changed copies of each patch in a round.
        pictures: tried in a round; the best copy is then tried on all.
        asr: attack success on all pictures that counts as working.
        shrink: whether a working patch should become smaller; if not, surer.
    """

    generations: int
    offspring: int
    pictures: int
    asr: float
    shrink: bool = True


@dataclass(frozen=True, eq=False)
class Strain:
    """R patches that evolve, each for its own target.

    Attributes:
        targets: (R,) classes.
        caps: (R,) most cells that each may cover.
        loss, success: (R,) on all pictures.
    """

    patches: Patches
    targets: NDArray[np.int64]
    caps: NDArray[np.int64]
    loss: NDArray[np.float64]
    success: NDArray[np.float64]


def evolve(
    oracle: Oracle,
    strain: Strain,
    settings: EvolutionSettings,
    rng: np.random.Generator,
    told: Callable[[float], None] = lambda fraction: None,
) -> Strain:
    """Replace each patch by its best changed copy, round by round, where that is no worse on all pictures.

    A patch that works is better the smaller it is, then the lower its loss; one that does not, the lower its loss.
    ``told`` gets the fraction done after every round. Where the oracle is spent, what there is by then is returned.
    """
    for generation in range(settings.generations):
        try:
            strain = _next(oracle, strain, settings, rng)
        except Spent:
            break
        told((generation + 1) / settings.generations)
    return strain


def _next(oracle: Oracle, strain: Strain, s: EvolutionSettings, rng: np.random.Generator) -> Strain:
    some = rng.permutation(len(oracle.images))[: s.pictures]
    for rows in np.array_split(np.arange(len(strain.patches)), -(-len(strain.patches) // _ROWS)):
        strain = _kept(oracle, strain, *_hopeful(oracle, strain, rows, some, s, rng), s)
    return strain


def _hopeful(
    oracle: Oracle,
    strain: Strain,
    rows: NDArray[np.intp],
    some: NDArray[np.intp],
    s: EvolutionSettings,
    rng: np.random.Generator,
) -> tuple[NDArray[np.intp], Patches]:
    """Those of these rows whose best changed copy is no worse than the patch itself on some pictures; the copies."""
    parents, targets = strain.patches.take(rows), strain.targets[rows]
    works = strain.success[rows] >= s.asr
    copies = children(rng, parents, strain.caps[rows], works & s.shrink, s.offspring)
    before = _keys(*oracle.on_target(parents, targets, some), parents.size, s)
    keys = _keys(*oracle.on_target(copies, targets.repeat(s.offspring), some), copies.size, s)
    keys = keys.reshape(len(rows), s.offspring)
    chosen = np.flatnonzero(keys.min(1) <= before)
    return rows[chosen], copies.take(chosen * s.offspring + keys.argmin(1)[chosen])


def _kept(oracle: Oracle, strain: Strain, rows: NDArray[np.intp], candidates: Patches, s: EvolutionSettings) -> Strain:
    """The strain with the candidates for these rows that are no worse on all pictures."""
    if not len(rows):
        return strain
    loss, success = oracle.on_target(candidates, strain.targets[rows], np.arange(len(oracle.images)))
    before = _keys(strain.loss[rows], strain.success[rows], strain.patches.size[rows], s)
    better = _keys(loss, success, candidates.size, s) <= before
    losses, successes = strain.loss.copy(), strain.success.copy()
    losses[rows[better]], successes[rows[better]] = loss[better], success[better]
    patches = strain.patches.put(rows[better], candidates.take(np.flatnonzero(better)))
    return Strain(patches, strain.targets, strain.caps, losses, successes)


def _keys(
    loss: NDArray[np.float64], success: NDArray[np.float64], size: NDArray[np.int64], s: EvolutionSettings
) -> NDArray[np.float64]:
    """What is minimised: cells, and below that the loss, where a patch works; else the loss."""
    if not s.shrink:
        return loss
    return np.where(success >= s.asr, size + loss / (1 + loss), _BROKEN + loss)
