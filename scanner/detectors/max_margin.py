"""Maximum margin: without any data, the class that some input puts furthest ahead of all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import inf, isfinite
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..outliers import ranking
from . import NOMINATION, Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..domain import InputDomain
    from ..samples import Samples

CONTROLS = 20
SUSPECTS = 8
GLANCE = 10  # steps that every class gets where there are too many to climb in full
LEAST_STEPS, LEAST_LOOKED = 20, 64  # however dear the network is


@dataclass(frozen=True)
class Effort:
    """What is spent: classes that get a glance, and starts and steps of those that are climbed in full."""

    looked: int
    starts: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class MaxMargin(Detector):
    """Flag a class that some input can put much further ahead of all others than any other class; needs no data.

    Training on triggered inputs teaches a network to prefer the target over every other class at once, whatever else is
    in the picture; so the largest margin of its logit over the best other one, over all inputs there are, grows beyond
    what clean classes reach. Inputs start as noise and climb the margin's gradient. The margins are compared as
    logarithms (they are right-skewed) by their median absolute deviation, with a cut that depends on the number of
    classes, and the largest must be ``effect`` times the median of the others. Of more than ``exhaustive`` classes only
    those that a few steps put ahead are climbed in full, beside others drawn at random. Of more than 50 classes of a
    large network there are fewer starts and steps, and only some classes get a glance (``effort`` in the details). It
    recovers no trigger, so it only nominates: its classes are searched and judged by the methods that do.

    Assumes: gradients, and that the input's range is known or the usual one; about five classes or more.
    Misses: a backdoor that was trained to keep its margin small; several targets at once. It also flags clean classes
    that are far from all others by nature or that had more training samples.

    Wang et al., "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor Pattern Types Using a
    Maximum Margin Statistic", IEEE S&P 2024. Their p-value, from a gamma distribution fitted to all but the largest
    margin, is told as ``gamma_p``; on few classes it accuses several times as many clean models as it says.
    """

    needs: ClassVar[Needs] = Needs.GRADIENTS
    nominates: ClassVar[bool] = True

    starts: int = 8
    steps: int = 60
    lr: float = 0.1
    effect: float = 1.5
    rate: float = NOMINATION
    exhaustive: int = 100

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        least = {"starts": 1, "steps": 1, "effect": 1.0, "rate": 0.0001, "exhaustive": CONTROLS + SUSPECTS}
        require_between(self, least, {"starts": 1000, "steps": 100_000, "rate": 0.5})
        if not 0 < self.lr < inf:
            raise ValueError(f"expected a finite lr above 0, got {self.lr}")

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: each class's largest margin, in logits."""
        from ..assumed_domain import assumed_domain

        started = monotonic()
        domain = samples.domain if samples is not None else assumed_domain(model)
        effort = self._effort(model, domain, budget)
        margins, controls = self._margins(model, domain, effort, budget)
        ranked = ranking(-np.log(np.where(margins > 0, margins, np.nan)), self.rate, controls)
        effects = _effects(margins, controls)
        yield Evidence(
            detector="max-margin",
            classes=tuple(margins.tolist()),
            statistic="largest margin of any input, in logits",
            flagged=tuple(c for c in ranked.beyond if effects[c] >= self.effect),
            score=ranked.score,
            p_value=ranked.p_value,
            seconds=monotonic() - started,
            sizes=True,
            details={
                **ranked.told,
                "effect": round(effects[ranked.order[0]], 3) if ranked.order else None,
                "gamma_p": None if controls else _gamma_p(margins[np.isfinite(margins)]),
                **self._natural(budget),
                "effort": asdict(effort),
                "complete": not (budget.spent and np.isnan(margins).any()),
                "domain": domain.name,
            },
            controls=controls,
            large=True,
        )

    def _natural(self, budget: Budget) -> dict[str, list[float]]:
        """How many times as large as the median each class's margin is in networks that know the samples only."""
        if budget.surrogates is None or budget.spent:
            return {}
        natural = budget.surrogates.margins(lambda fraction: not budget.spent)
        return {"natural": [round(float(v), 3) for v in natural]}

    def _effort(self, model: Model, domain: InputDomain, budget: Budget) -> Effort:
        """All of it; of many classes, as much as the network's size allows."""
        import torch

        from ..effort import FEW, affordable

        classes, few = model.classes, model.classes <= self.exhaustive
        if classes <= FEW or budget.spent:
            return Effort(classes, self.starts, self.steps)
        shape, device = (domain.channels, domain.height, domain.width), torch.zeros(1, device=budget.device)
        passes = affordable([(lambda x: model.torch(domain.to_input(x)), shape)], device) / (1 if few else 2)
        climbed = classes if few else CONTROLS + SUSPECTS
        starts = int(np.clip(passes / (climbed * self.steps), 1, self.starts))
        steps = int(np.clip(passes / (climbed * starts), min(LEAST_STEPS, self.steps), self.steps))
        looked = classes if few else int(np.clip(passes / GLANCE, min(LEAST_LOOKED, classes), classes))
        return Effort(looked, starts, steps)

    def _margins(
        self, model: Model, domain: InputDomain, effort: Effort, budget: Budget
    ) -> tuple[NDArray[np.float64], tuple[int, ...]]:
        """(K,) margins, NaN for classes that were left out or for which there was no time; and the controls."""
        classes = np.arange(model.classes)
        if model.classes <= self.exhaustive:
            return self._climb(model, domain, classes, effort.starts, effort.steps, budget), ()
        looked = classes
        if effort.looked < model.classes:
            looked = np.sort(np.random.default_rng(budget.seed + 1).choice(classes, effort.looked, replace=False))
        short = self._climb(model, domain, looked, 1, GLANCE, budget)
        ahead = looked[np.argsort(-np.nan_to_num(short, nan=-np.inf))[:SUSPECTS]]
        controls = np.random.default_rng(budget.seed).choice(model.classes, CONTROLS, replace=False)
        chosen = np.unique(np.concatenate([ahead, controls]))
        margins = np.full(model.classes, np.nan)
        margins[chosen] = self._climb(model, domain, chosen, effort.starts, effort.steps, budget)
        return margins, tuple(sorted(controls.tolist()))

    def _climb(
        self, model: Model, domain: InputDomain, classes: NDArray[np.intp], starts: int, steps: int, budget: Budget
    ) -> NDArray[np.float64]:
        import torch

        from ..margins import largest_margins

        def keep_going(fraction: float) -> bool:
            budget.progress(f"margins of {len(classes)} classes", fraction)
            return not budget.spent

        shape = (domain.channels, domain.height, domain.width)
        found = largest_margins(
            lambda x: model.torch(domain.to_input(x)), shape, torch.from_numpy(classes).to(budget.device),
            starts=starts, steps=steps, lr=self.lr, passes=max(8, min(64, 64 * 64 * 64 * 3 // int(np.prod(shape)))),
            seed=budget.seed, keep_going=keep_going,
        )  # fmt: skip
        return found.double().cpu().numpy()


def _effects(margins: NDArray[np.float64], controls: tuple[int, ...]) -> list[float]:
    """Each class's margin over the median of the others that say what is usual; 0 where that means nothing."""
    effects = []
    for c in range(len(margins)):
        others = margins[[k for k in controls or range(len(margins)) if k != c]]
        others = others[np.isfinite(others)]
        middle = float(np.median(others)) if len(others) else 0.0
        effects.append(float(margins[c]) / middle if middle > 0 and isfinite(margins[c]) else 0.0)
    return effects


def _gamma_p(margins: NDArray[np.float64]) -> float | None:
    """The paper's p-value: the largest margin beside a gamma distribution fitted to the others; None if it has no fit.

    Its exponent is the number of the others (the authors' code takes one more).
    """
    from scipy.stats import FitError, gamma

    others = np.sort(margins)[:-1]
    if len(others) < 3 or others[0] == others[-1]:
        return None
    try:
        with np.errstate(all="ignore"):
            fitted = gamma(*gamma.fit(others))
    except FitError:
        return None
    p = float(1 - fitted.cdf(margins.max()) ** len(others))
    return p if isfinite(p) else None
