"""What the methods that search a trigger of every class by gradients share: they differ in what they make small."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..mask_size import MaskNorm
from ..outliers import anomaly_index, cut, p_value
from ..trigger_sizes import class_sizes, size_score
from . import Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from torch import Tensor

    from ...converters import Model
    from ..class_screen import Screen
    from ..samples import Samples
    from ..trigger_search import Found, SearchSettings
    from ..triggers import Trigger
    from ..victims import Victims


__all__ = ["TriggerSearch"]


@dataclass(frozen=True, kw_only=True)
class TriggerSearch(Detector):
    """The smallest trigger of every class, found in one batch, and the class whose trigger is too small.

    Attributes:
        name: the method's id.
        norm: what the size of a mask is.
        statistic: the same in words.
    """

    needs: ClassVar[Needs] = Needs.GRADIENTS | Needs.SAMPLES
    min_samples: ClassVar[int] = 20
    name: ClassVar[str]
    norm: ClassVar[MaskNorm]
    statistic: ClassVar[str]

    seeds: int = 2
    steps: int = 120
    batch: int = 16
    lr: float = 0.2
    asr: float = 0.99
    growth: float = 1.5
    suspects: int = 3
    exhaustive: int = 30

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found or verified; raises ValueError."""
        least = {"seeds": 2, "steps": 1, "batch": 1, "suspects": 1, "growth": 1.0, "asr": 0.5, "exhaustive": 4}
        most = {"seeds": 100, "steps": 100_000, "batch": 10_000, "growth": 100.0, "exhaustive": 100_000}
        require_between(self, least, most)
        if self.asr > 1 or not 0 < self.lr < inf:
            raise ValueError(f"expected asr of at most 1 and a finite lr above 0, got {self.asr} and {self.lr}")

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: the size of each class's smallest mask in [0, 1], and the triggers to verify."""
        from ..victims import question

        if samples is None:
            raise ValueError(f"{self.name} expected samples, got None")
        started = monotonic()
        logits, victims = question(model, samples, budget.device)
        chosen = self._choose(logits, victims, (model, samples), budget)
        found = self._search(logits, victims, chosen.chosen, budget)
        reached = [f for f in found if f.trigger]
        sizes = class_sizes([f.trigger for f in reached if f.trigger], model.classes)
        suspects = [int(c) for c in np.argsort(sizes)[: self.suspects] if np.isfinite(sizes[c])]
        limit = self._limit(sizes, chosen.controls)
        contenders = _of_classes({*suspects, *np.flatnonzero(sizes <= limit), *budget.nominated}, reached)
        natural = self._natural(budget)
        triggers = self._strengthen(logits, victims, contenders, budget)
        index, controls = anomaly_index(np.log(sizes), chosen.controls), len(chosen.controls)
        compared = model.classes if controls else int(np.isfinite(sizes).sum())
        complete = not budget.spent
        further, stopped = self._apart(logits, victims, [t for t in contenders if t.size <= limit], limit, budget)
        yield Evidence(
            detector=self.name,
            classes=tuple(sizes.tolist()),
            statistic=self.statistic,
            flagged=tuple(c for c in suspects if index[c] > cut(compared, 0.05, controls)),
            score=size_score(sizes, chosen.controls),
            p_value=p_value(float(index[suspects[0]]), compared, controls) if suspects else None,
            triggers=tuple(triggers),
            seconds=monotonic() - started,
            sizes=True,
            controls=chosen.controls,
            further=tuple(further),
            details={
                "anomaly_index": [None if np.isnan(v) else round(float(v), 3) for v in index],
                "cut_5_percent": cut(compared, 0.05, controls),
                "complete": complete,
                "settled": sum(f.settled for f in reached) / max(1, len(reached)),
                **self._told(len(samples), chosen, stopped),
                **natural,
            },
        )

    def _told(self, samples: int, chosen: Screen, stopped: list[int]) -> dict[str, object]:
        searched = {"searched": len(chosen.chosen), "nominated": list(chosen.suspects), "further_stopped": stopped}
        return {"seeds": self.seeds, "optimised_on": samples, **searched}

    def _limit(self, sizes: NDArray[np.float64], controls: tuple[int, ...]) -> float:
        """The largest size that is far too small; all such classes are judged, and those triggers told apart."""
        return 0.0

    def _apart(
        self,
        logits: Callable[[Tensor], Tensor],
        victims: Victims,
        known: list[Trigger],
        limit: float,
        budget: Budget,
    ) -> tuple[list[Trigger], list[int]]:
        """Of classes with several triggers, each that works by itself; and the classes for which time ran out."""
        return [], []

    def _natural(self, budget: Budget) -> dict[str, list[float]]:
        """How many times as small as the median each class's trigger is in networks that know the samples only."""
        if budget.surrogates is None or budget.spent:
            return {}

        def keep_going(fraction: float) -> bool:
            budget.progress("what is small by nature", fraction)
            return not budget.spent

        return {"natural": [round(float(v), 3) for v in budget.surrogates.sizes(self.norm, keep_going)]}

    def _choose(
        self, logits: Callable[[Tensor], Tensor], victims: Victims, of: tuple[Model, Samples], budget: Budget
    ) -> Screen:
        """All classes where they are few; else those that a screen names, and controls.

        The screen is the same whatever a search makes small, so that all searches of a scan share it.
        """
        from ..class_screen import Screen, ScreenSettings, screen

        classes = of[0].classes

        def keep_going(fraction: float) -> bool:
            budget.progress(f"screening {classes} classes", fraction)
            return not budget.spent

        if classes <= self.exhaustive:
            return Screen(tuple(range(classes)), ())
        settings = ScreenSettings(lr=self.lr, micro_batch=victims.pass_size)
        named = budget.once(lambda: screen(logits, victims, classes, budget.seed, settings, keep_going), settings, *of)
        return Screen(tuple(sorted({*named.suspects, *budget.nominated})), named.controls)

    def _search(
        self, logits: Callable[[Tensor], Tensor], victims: Victims, classes: tuple[int, ...], budget: Budget
    ) -> list[Found]:
        from ..trigger_search import search_triggers

        def keep_going(fraction: float) -> bool:
            budget.progress(f"searching triggers of {len(classes)} classes", fraction)
            return not budget.spent

        seeds = tuple(range(budget.seed, budget.seed + self.seeds))
        return search_triggers(logits, victims, classes, seeds, self._settings(victims), keep_going)

    def _settings(self, victims: Victims) -> SearchSettings:
        from ..trigger_search import SearchSettings

        return SearchSettings(
            steps=self.steps,
            batch=self.batch,
            lr=self.lr,
            asr=self.asr,
            micro_batch=victims.pass_size,
            norm=self.norm,
        )

    def _strengthen(
        self, logits: Callable[[Tensor], Tensor], victims: Victims, triggers: list[Trigger], budget: Budget
    ) -> list[Trigger]:
        from ..trigger_strengthen import StrengthenSettings, strengthen

        settings = StrengthenSettings(growth=self.growth, batch=self.batch)
        strong = strengthen(logits, victims, triggers, settings, lambda: not budget.spent)
        return sorted(strong, key=lambda t: t.size)


def _of_classes(classes: Collection[int], found: list[Found]) -> list[Trigger]:
    return [f.trigger for f in found if f.trigger and f.trigger.target in classes]
