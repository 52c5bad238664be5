"""Patch search: the smallest opaque patch of every class, found by asking the file only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..findings import Evidence
from ..outliers import anomaly_index
from ..trigger_sizes import class_sizes, size_score
from . import Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..patch_evolution import EvolutionSettings
    from ..patch_oracle import Oracle
    from ..samples import Samples
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class PatchSearch(Detector):
    """Flag a class that a patch of a few pixels can reach from every other class, without using gradients.

    Random opaque patches of many sizes, places, colours and textures are stamped on clean pictures, and each is tried
    for all classes at once. The best of every class then evolve: cells are dropped, moved, painted and added at random,
    and a changed patch stays if it is smaller and still works, or if it works better. Besides a small patch every class
    has one that starts as a whole picture of the class, so that there is a size to compare with. The patches of the
    smallest classes are given ``growth`` times the cells and handed on to be judged. It stands in for methods that need
    gradients: it runs where the model has no torch twin, or where it is asked for by name.

    Assumes: at least 20 clean samples to search with (100 or more are better); a universal, opaque, compact trigger.
    Misses: faint, blended and warping triggers; triggers that only exact colours in exact places set off; in pictures
    of more than ``cells`` pixels a side, those finer than a cell; source-specific and all-to-all backdoors. It ends far
    above the smallest masks there are, so finding nothing does not acquit.

    After Croce et al., "Sparse-RS: A Versatile Framework for Query-Efficient Sparse Black-Box Adversarial Attacks",
    AAAI 2022, whose patches keep their size; here the size is what is minimised, and all classes share the first tries.
    """

    needs: ClassVar[Needs] = Needs.SAMPLES
    min_samples: ClassVar[int] = 20
    stands_in: ClassVar[bool] = True

    seeds: int = 2
    patches: int = 1500
    small: float = 0.04
    generations: int = 60
    offspring: int = 6
    pictures: int = 16
    asr: float = 0.95
    growth: float = 1.5
    suspects: int = 3
    cells: int = 32
    queries: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found or verified, or nothing would end; raises ValueError."""
        least = {"seeds": 2, "patches": 50, "small": 0.001, "generations": 1, "offspring": 1, "pictures": 4, "asr": 0.5}
        least |= {"growth": 1.0, "suspects": 1, "cells": 4, "queries": 1000}
        most = {"seeds": 100, "patches": 1_000_000, "small": 1.0, "generations": 100_000, "offspring": 1000, "asr": 1.0}
        require_between(self, least, most | {"growth": 100.0, "cells": 256})

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: each class's smallest patch as a share of the picture, and the triggers to verify."""
        if samples is None:
            raise ValueError("patch-search expected samples, got None")
        started = monotonic()
        oracle = self._oracle(model, samples, budget)
        rng = np.random.default_rng(budget.seed)
        found = self._hunt(oracle, model.classes, rng, budget)
        sizes = class_sizes(found, model.classes)
        suspects = [int(c) for c in np.argsort(sizes)[: self.suspects] if np.isfinite(sizes[c])]
        judged = {*suspects, *budget.nominated}
        triggers = self._strengthen(oracle, [t for t in found if t.target in judged], rng)
        index = anomaly_index(np.log(sizes))
        small = self.small * np.nanmedian(sizes) if suspects else 0.0
        yield Evidence(
            detector="patch-search",
            classes=tuple(sizes.tolist()),
            statistic="opaque patch, share of the picture",
            flagged=tuple(c for c in suspects if sizes[c] < small),
            score=size_score(sizes),
            triggers=tuple(triggers),
            seconds=monotonic() - started,
            sizes=True,
            details={
                "anomaly_index": [None if np.isnan(v) else round(float(v), 3) for v in index],
                "complete": not budget.spent,
                "queries": oracle.queries,
                "seeds": self.seeds,
                "optimised_on": len(samples),
            },
            loose=True,
        )

    def _oracle(self, model: Model, samples: Samples, budget: Budget) -> Oracle:
        from ..patch_oracle import Oracle
        from ..patches import Grid

        return Oracle(model, samples, Grid.of(samples.images, self.cells), self.queries, lambda: budget.spent)

    def _hunt(self, oracle: Oracle, classes: int, rng: np.random.Generator, budget: Budget) -> list[Trigger]:
        from ..patch_hunt import HuntSettings, hunt

        seeds = tuple(range(budget.seed, budget.seed + self.seeds))
        settings = HuntSettings(patches=self.patches, small=self.small, evolution=self._evolution(self.generations))
        text = f"trying patches on {classes} classes"
        return hunt(oracle, classes, seeds, settings, rng, lambda fraction: budget.progress(text, fraction))

    def _strengthen(self, oracle: Oracle, triggers: list[Trigger], rng: np.random.Generator) -> list[Trigger]:
        from ..patch_hunt import strengthen

        oracle.limit = float("inf")  # short, and what was found must be judged at its best
        strong = strengthen(oracle, triggers, self.growth, self._evolution(max(1, self.generations // 4)), rng)
        return sorted(strong, key=lambda t: t.l1)

    def _evolution(self, generations: int) -> EvolutionSettings:
        from ..patch_evolution import EvolutionSettings

        return EvolutionSettings(
            generations=generations, offspring=self.offspring, pictures=self.pictures, asr=self.asr
        )
