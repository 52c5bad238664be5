"""Pair search: the pair of classes of which a much smaller trigger than any other's leads from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..outliers import ranking
from ..signals import NATURE
from . import Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from torch import Tensor

    from ...converters import Model
    from ..pair_sizes import Pairs
    from ..samples import Samples

Logits = Callable[["Tensor"], "Tensor"]
SHOWN = 5  # pairs in the details


@dataclass(frozen=True, kw_only=True)
class PairSearch(Detector):
    """Flag a class that pictures of one other class reach by a much smaller patch than any pair's.

    That is what a source-specific backdoor does: its trigger works on pictures of one class and is taught to do nothing
    to the others, so that a search for one trigger for all pictures does not meet it. Here the smallest trigger is
    searched for every pair of classes, with the pictures of the source alone. Some pairs are near by nature (a 4 and a
    9): small networks that were trained on the clean pictures are searched the same way, and three quarters of what is
    small in them is taken off; nothing where the pictures are too few or too large to train any. A class counts by its
    smallest pair. It never convicts: there are a dozen pictures of a source at best, too few to judge a trigger on
    others, so that it nominates.

    Assumes: gradients; four pictures or more of most classes; at most ``exhaustive`` classes, as their pairs grow with
    the square.
    Misses: triggers that are large, warp the picture or differ from sample to sample; several sources at once, which
    leave each pair a larger trigger.

    Wang et al., "Neural Cleanse", IEEE S&P 2019, propose the search of pairs for "partial" backdoors; that what is
    small by nature is taken off is ours.
    """

    needs: ClassVar[Needs] = Needs.GRADIENTS | Needs.SAMPLES
    min_samples: ClassVar[int] = 20
    nominates: ClassVar[bool] = True
    on_request: ClassVar[bool] = True

    seeds: int = 2
    steps: int = 60
    pictures: int = 12
    effect: float = 4.0
    rate: float = 0.1
    exhaustive: int = 20
    nature: float = NATURE

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        least = {"seeds": 1, "steps": 1, "pictures": 4, "effect": 1.0, "rate": 0.0001, "exhaustive": 3, "nature": 0.0}
        most = {"seeds": 100, "steps": 100_000, "pictures": 10_000, "rate": 0.5, "exhaustive": 200, "nature": 1.0}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: each class's smallest pair that leads to it, as a share of the median pair."""
        if samples is None:
            raise ValueError("pair-search expected samples, got None")
        started = monotonic()
        few = model.classes <= self.exhaustive
        pairs = self._of_model(model, samples, budget) if few else None
        near = _near(pairs, self._natural(budget) if few else None, self.nature, model.classes)
        sizes = _smallest(near)
        ranked = ranking(np.log(sizes), self.rate)
        complete = not budget.spent
        # Half of what is near by nature would accuse a 4 of being a 9.
        small = (sizes * self.effect <= 1) & complete
        yield Evidence(
            detector="pair-search",
            classes=tuple(sizes.tolist()),
            statistic="smallest trigger for pictures of one class, beside the median pair's and nature's",
            flagged=tuple(c for c in ranked.beyond if small[c]),
            score=ranked.score,
            p_value=ranked.p_value,
            seconds=monotonic() - started,
            sizes=True,
            details={
                **ranked.told,
                "pairs": _told(near, pairs),
                "complete": complete,
                "too_many_classes": not few,
                "not_checked": "" if few else f"takes up to {self.exhaustive} classes, and there are {model.classes}",
                "optimised_on": len(samples),
            },
            maps=_maps(near, pairs),
        )

    def _of_model(self, model: Model, samples: Samples, budget: Budget) -> Pairs:
        """The model's pairs, with all pictures that the surrogates know where there are any."""
        import torch

        known = budget.surrogates
        images = torch.from_numpy(samples.images).to(budget.device) if known is None else known.images
        twin = model.torch
        return self._pairs(lambda x: twin(samples.domain.to_input(x)), images, model.classes, self.seeds, budget)

    def _pairs(self, logits: Logits, images: Tensor, classes: int, seeds: int, budget: Budget) -> Pairs:
        from ..pair_sizes import PairSettings, pair_sizes

        def keep_going(fraction: float) -> bool:
            budget.progress(f"triggers from each of {classes} classes to each", fraction)
            return not budget.spent

        drawn = tuple(range(budget.seed, budget.seed + seeds))
        settings = PairSettings(seeds=drawn, steps=self.steps, pictures=self.pictures)
        return pair_sizes(logits, images, classes, settings, keep_going)

    def _natural(self, budget: Budget) -> NDArray[np.float64] | None:
        """(K, K) how many times as small as the median each pair is in networks that know the samples only."""
        surrogates = budget.surrogates
        if surrogates is None or budget.spent:
            return None

        def ask(logits: Logits) -> NDArray[np.float64]:
            return np.exp2(self._pairs(logits, surrogates.images, surrogates.classes, 1, budget).sizes).ravel()

        return surrogates.dreamt(ask).reshape(surrogates.classes, surrogates.classes)


def _near(pairs: Pairs | None, natural: NDArray[np.float64] | None, share: float, classes: int) -> NDArray[np.float64]:
    """(K, K) how many times as small as the median each pair is, as powers of 2, without what is so by nature.

    NaN where there is no trigger.
    """
    if pairs is None or not np.isfinite(pairs.sizes).any():
        return np.full((classes, classes), np.nan)
    near: NDArray[np.float64] = np.nanmedian(pairs.sizes) - pairs.sizes
    return near if natural is None else near - share * natural


def _smallest(near: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) the smallest of each target's pairs, as a share of the median pair; NaN where none has a trigger."""
    reached = np.isfinite(near).any(axis=0)
    sizes: NDArray[np.float64] = np.exp2(-np.where(reached, np.nan_to_num(near, nan=-np.inf).max(axis=0), np.nan))
    return sizes


def _ordered(near: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The pairs with a trigger, from source to target, the nearest first."""
    flat = near.ravel()
    return [divmod(int(i), len(near)) for i in np.argsort(-flat) if np.isfinite(flat[i])]


def _told(near: NDArray[np.float64], pairs: Pairs | None) -> list[dict[str, float]]:
    if pairs is None:
        return []
    return [
        {
            "source": source,
            "target": target,
            "powers": round(float(near[source, target]), 2),
            "mask": round(pairs.triggers[source, target].fraction, 4),
            "success": round(pairs.triggers[source, target].search_asr, 3),
        }
        for source, target in _ordered(near)[:SHOWN]
    ]


def _maps(near: NDArray[np.float64], pairs: Pairs | None) -> dict[str, NDArray[np.float32]]:
    """The mask of the nearest pair."""
    if pairs is None or not (order := _ordered(near)):
        return {}
    source, target = order[0]
    return {f"mask-class{source}-to-class{target}": pairs.triggers[source, target].mask}
