"""Neural Cleanse: the smallest trigger of every class, and the class whose trigger is too small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..mask_size import MaskNorm
from . import Budget, require_between
from ._trigger_search import TriggerSearch

if TYPE_CHECKING:
    from torch import Tensor

    from ..triggers import Trigger
    from ..victims import Victims


@dataclass(frozen=True, kw_only=True)
class NeuralCleanse(TriggerSearch):
    """Flag a class that an unusually small patch can reach from every other class.

    For each class, find the smallest masked patch that sends all samples to it; a backdoor is a shortcut, so its
    target needs a far smaller patch than the other classes. All classes and seeds are searched in one batch with the
    weights frozen. A class's size is the geometric mean of its smallest masks over the seeds; sizes are compared as
    logarithms (they are right-skewed) by their median absolute deviation, with a cut that depends on the number of
    classes. Of more than ``exhaustive`` classes only those are searched that a screen of all names (a short descent,
    the largest margin of any input, near misses of clean pictures), beside others drawn at random, which say what is
    usual. The triggers of the smallest classes, and of those that other methods nominate, are then given ``growth``
    times the room and handed on to be judged in onnxruntime.

    A class with a mask of at most a quarter of the median (``again``) is searched up to ``rounds`` times more, each
    place of its triggers alone and all the rest of the picture: it may have several triggers. What is found so goes to
    the report and to repairs, and changes no statistic.

    Assumes: gradients; at least 20 clean samples to optimise on (100 or more are better); a universal trigger.
    Misses: triggers that cover much of the picture, warp it or differ from sample to sample; source-specific and
    all-to-all backdoors; models in which a large part of the classes are targets.

    Wang et al., "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks", IEEE S&P 2019.
    The search differs from the authors' in five choices: the schedule looks at the last 5 small steps together
    instead of at a thousand samples, the best mask is chosen on the whole optimisation half instead of on running
    averages, the mask starts light instead of at half strength, the weight of the mask rises faster until it was first
    too much, and lr is 0.2 over at most 120 steps.
    """

    name: ClassVar[str] = "neural-cleanse"
    norm: ClassVar[MaskNorm] = "l1"
    statistic: ClassVar[str] = "mask L1, share of the picture"

    again: float = 0.25
    rounds: int = 4
    around: float = 0.1

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found or verified; raises ValueError."""
        super().__post_init__()
        require_between(self, {"again": 0, "rounds": 0, "around": 0}, {"again": 1, "rounds": 100, "around": 1})

    def _limit(self, sizes: NDArray[np.float64], controls: tuple[int, ...]) -> float:
        usual = sizes[list(controls)] if controls else sizes
        return self.again * float(np.nanmedian(usual)) if np.isfinite(usual).sum() >= 3 else 0.0

    def _apart(
        self,
        logits: Callable[[Tensor], Tensor],
        victims: Victims,
        known: list[Trigger],
        limit: float,
        budget: Budget,
    ) -> tuple[list[Trigger], list[int]]:
        classes = sorted({t.target for t in known})
        if not known or not self.rounds:
            return [], []
        if budget.spent:
            return [], classes
        from ..further_triggers import FurtherSettings, search_apart
        from ..trigger_strengthen import StrengthenSettings

        def keep_going(fraction: float) -> bool:
            budget.progress(f"searching {len(classes)} classes again", fraction)
            return not budget.spent

        settings = FurtherSettings(
            rounds=self.rounds,
            largest=limit,
            around=self.around,
            search=self._settings(victims),
            strengthening=StrengthenSettings(growth=self.growth, batch=self.batch),
        )
        seeds = range(budget.seed, budget.seed + self.seeds)
        found = search_apart(logits, victims, known, seeds, settings, keep_going)
        return found, classes if budget.spent else []
