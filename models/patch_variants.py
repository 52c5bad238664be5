"""Recipes of networks with BadNets patches that differ from one patch in one thing, and of clean ones beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .zoo.recipe import Chosen, Recipe, chosen
from .zoo.variants import REGIMES

__all__ = ["BASE", "SETS", "Variant", "variants"]

SETS = ("mnist", "gtsrb")
SIZE = 4  # pixels of each side, white, bottom right: the patch of Neural Cleanse's MNIST and GTSRB models
RATE = 0.1
CLEAN = 6  # of each data set
_TARGET, _CLEAN_SEED = 7, 1000  # 7 is one of GTSRB's commoner signs

BASE = f"{SIZE} x {SIZE}, bottom right"
_DIFFERENT: dict[str, Chosen] = {
    BASE: chosen("badnets"),
    **{f"{size} x {size}": chosen("badnets", size=size) for size in (2, 3, 5, 6, 7, 8)},
    "top left": chosen("badnets", row=0.0, column=0.0),
    "top right": chosen("badnets", row=0.0),
    "bottom left": chosen("badnets", column=0.0),
    "middle": chosen("badnets", row=0.5, column=0.5),
    "2 triggers": chosen("several-triggers", count=2),
    "3 triggers": chosen("several-triggers", count=3),
    **{f"alpha {alpha:g}": chosen("badnets", alpha=alpha) for alpha in (0.7, 0.4, 0.2, 0.1)},
    **{pattern: chosen("badnets", pattern=pattern) for pattern in ("checker", "cross", "noise")},
}


@dataclass(frozen=True)
class Variant:
    """A network to train, and in words what is different of its trigger; the recipe of a clean one has no attack."""

    name: str
    recipe: Recipe

    @property
    def target(self) -> int | None:
        """The class that the trigger shall give; None for a clean network."""
        return dict(self.recipe.attack.options)["target"] if self.recipe.attack else None


def variants(dataset: str, seeds: int = 1) -> Iterator[Variant]:
    """All variants of a data set, once for each seed, and the clean networks, which have seeds and data of their own.

    Every seed has its own initial weights, poisoned examples and target; within a seed nothing but the trigger differs.
    """
    for seed in range(seeds):
        target: dict[str, Any] = {"target": (_TARGET + 3 * seed) % 10}
        for name, attack in _DIFFERENT.items():
            options = {"size": SIZE, **dict(attack.options), **target}
            recipe = replace(_recipe(dataset, seed), attack=chosen(attack.name, **options), rate=RATE)
            yield Variant(f"{name} (seed {seed})" if seed else name, recipe)
    for i in range(CLEAN):
        yield Variant(f"clean {i + 1}", _recipe(dataset, _CLEAN_SEED + i))


def _recipe(dataset: str, seed: int) -> Recipe:
    regime = REGIMES[dataset]
    return Recipe(
        part="fit", dataset=dataset, data_seed=seed, examples=regime.examples, network=chosen("plain", width=24),
        seed=seed, epochs=regime.epochs, shift=regime.shift,
    )  # fmt: skip
