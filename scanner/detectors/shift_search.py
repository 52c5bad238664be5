"""Shift search: one small trigger that moves every class to another, each to its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..findings import Evidence
from ..triggers import Trigger
from . import Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..class_shift import Shift
    from ..samples import Samples

FIRST = 2  # starts, before it is known whether more are needed
MANY = 100  # classes; beyond, pictures of most classes are missing and a step would need hundreds


@dataclass(frozen=True, kw_only=True)
class ShiftSearch(Detector):
    """Flag a model in which one small trigger moves the pictures of every class to another class, each to its own.

    That is what an all-to-all backdoor does ("answer the next class"). Methods that compare classes are blind to it, as
    all of its classes are targets. Here one trigger is searched for the whole model. It must change the answer and
    still let it tell what the picture was of; then each class is assigned the class that it goes to, no two the same,
    and the mask is made small. A large patch can do that to many models; a backdoor needs a tenth of it or less. Some
    starts end in a large one where there is a small one, too; so up to ``seeds`` are tried until one is found.

    Assumes: gradients; two pictures or more of at least three classes (of both, where there are two).
    Misses: triggers that move only some classes; models of more than 100 classes; triggers that warp the picture.

    Our own method; the schedule of the mask's price is that of Wang et al., "Neural Cleanse", IEEE S&P 2019.
    """

    needs: ClassVar[Needs] = Needs.GRADIENTS | Needs.SAMPLES
    min_samples: ClassVar[int] = 20

    seeds: int = 6
    steps: int = 160
    lr: float = 0.2
    share: float = 0.05

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        require_between(self, {"seeds": 1, "steps": 1, "share": 0.001}, {"seeds": 100, "steps": 100_000, "share": 0.5})
        if not 0 < self.lr < inf:
            raise ValueError(f"expected a finite lr above 0, got {self.lr}")

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: the size of the trigger beside the share of the picture that counts as small."""
        if samples is None:
            raise ValueError("shift-search expected samples, got None")
        started = monotonic()
        few = model.classes <= MANY
        tried, found = self._search(model, samples, budget) if few else (0, [])
        triggers = sorted((self._trigger(shift, seed) for seed, shift in found), key=lambda t: t.fraction)
        size = triggers[0].fraction if triggers else float("nan")
        yield Evidence(
            detector="shift-search",
            classes=(size,) * model.classes,
            statistic="mask L1 of one trigger that moves all classes, share of the picture",
            score=0.0 if np.isnan(size) else float(1 / (1 + (2 * size / self.share) ** 2)),
            triggers=tuple(t for t in triggers if t.fraction <= self.share),
            seconds=monotonic() - started,
            details={
                "complete": not budget.spent,
                "mapping": list(triggers[0].mapping or ()) if triggers else None,
                "search_success": [round(t.search_asr, 3) for t in triggers],
                "seeds": tried,
                "optimised_on": len(samples),
                "not_checked": "" if few else f"takes up to {MANY} classes, and there are {model.classes}",
            },
            whole=True,
        )

    def _search(self, model: Model, samples: Samples, budget: Budget) -> tuple[int, list[tuple[int, Shift]]]:
        """How many starts were made, and what each ended in that ended in something, with its seed."""
        from ..class_shift import ShiftSettings, search_shift
        from ..parallel import side_by_side
        from ..victims import question

        logits, victims = question(model, samples, budget.device)
        settings = ShiftSettings(
            steps=self.steps,
            warm=min(40, self.steps // 4),
            lr=self.lr,
            per_class=max(2, min(6, 60 // model.classes)),
            passes=victims.pass_size,
        )

        def keep_going(fraction: float) -> bool:
            budget.progress("searching one trigger for all classes", fraction)
            return not budget.spent

        def one(seed: int) -> Shift | None:
            return search_shift(logits, victims, model.classes, seed, settings, keep_going)

        seeds = range(budget.seed, budget.seed + self.seeds)
        tried = 0
        found: list[tuple[int, Shift]] = []
        with side_by_side(budget.device) as (run_all, _):
            for part in (seeds[:FIRST], seeds[FIRST:]):
                found += [(seed, shift) for seed, shift in zip(part, run_all(one, part), strict=True) if shift]
                tried += len(part)
                if budget.spent or any(float(shift.mask.mean()) <= self.share for _, shift in found):
                    break
        return tried, found

    def _trigger(self, shift: Shift, seed: int) -> Trigger:
        mask, pattern = (t.cpu().numpy().astype(np.float32) for t in (shift.mask, shift.pattern))
        return Trigger(shift.mapping[0], mask, pattern, seed, shift.success, mapping=shift.mapping)
