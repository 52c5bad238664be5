"""Dream search: without any data, the class that the smallest patch can turn the network's own pictures into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..outliers import ranking
from . import NOMINATION, Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from torch import Tensor

    from ...converters import Model
    from ..domain import InputDomain
    from ..samples import Samples
    from ..victims import Victims

Logits = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True, kw_only=True)
class DreamSearch(Detector):
    """Flag a class that a much smaller patch than any other's turns made-up pictures into; needs no data.

    The network is asked for pictures of its own: noise that is moved until the network is sure of a class. Then the
    smallest trigger of every class is searched on them as neural-cleanse does on real ones. The pictures look like
    nothing, yet the network is as sure of them as of real ones, and a trigger that was trained to win over everything
    wins over them, too. Sizes are compared by their median absolute deviation, with a cut that depends on the number
    of classes. Where clean pictures are at hand, small networks that were trained on them say what is so by nature. It
    never convicts: its triggers were seen on no real picture, so that it nominates.

    Assumes: gradients, and that the input's range is known or the usual one; about five classes or more, at most
    ``exhaustive``.
    Misses: source-specific and all-to-all backdoors. Networks have a favourite class for pictures that look like
    nothing (an 8, a bag); without clean pictures it can stand out as a target does.

    Our own combination of Wang et al., "Neural Cleanse", IEEE S&P 2019, and of searching triggers on images made from
    noise, as Wang et al., "Practical Detection of Trojan Neural Networks", ECCV 2020, do for single classes.
    """

    needs: ClassVar[Needs] = Needs.GRADIENTS
    nominates: ClassVar[bool] = True

    pictures: int = 120
    steps: int = 60
    search_steps: int = 80
    lr: float = 0.2
    effect: float = 2.0
    rate: float = NOMINATION
    exhaustive: int = 64

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        least = {"pictures": 20, "steps": 1, "search_steps": 1, "effect": 1.0, "rate": 0.0001, "exhaustive": 2}
        require_between(self, least, {"pictures": 10_000, "steps": 100_000, "search_steps": 100_000, "rate": 0.5})
        if not 0 < self.lr < inf:
            raise ValueError(f"expected a finite lr above 0, got {self.lr}")

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: each class's smallest mask on made-up pictures, as a share of the picture."""
        from ..assumed_domain import assumed_domain

        started = monotonic()
        domain = samples.domain if samples is not None else assumed_domain(model)
        few = model.classes <= self.exhaustive
        sizes = np.full(model.classes, np.nan)
        if few:
            sizes = self._sizes(lambda x: model.torch(domain.to_input(x)), domain, model.classes, budget)
        ranked = ranking(np.log(sizes), self.rate)
        small = sizes * self.effect <= (np.nanmedian(sizes) if ranked.order else np.nan)
        yield Evidence(
            detector="dream-search",
            classes=tuple(sizes.tolist()),
            statistic="mask L1 on made-up pictures, fraction of the image",
            flagged=tuple(c for c in ranked.beyond if small[c]),
            score=ranked.score,
            p_value=ranked.p_value,
            seconds=monotonic() - started,
            sizes=True,
            details={
                **ranked.told,
                **(self._natural(domain, budget) if ranked.order else {}),
                "complete": not budget.spent,
                "domain": domain.name,
                "too_many_classes": not few,
                "not_checked": "" if few else f"takes up to {self.exhaustive} classes, and there are {model.classes}",
            },
        )

    def _natural(self, domain: InputDomain, budget: Budget) -> dict[str, list[float]]:
        """How many times as small as the median each class's mask is in networks that know the samples only."""
        surrogates = budget.surrogates
        if surrogates is None or budget.spent:
            return {}
        natural = surrogates.dreamt(lambda logits: self._sizes(logits, domain, surrogates.classes, budget))
        return {"natural": [round(float(v), 3) for v in natural]}

    def _sizes(self, logits: Logits, domain: InputDomain, classes: int, budget: Budget) -> NDArray[np.float64]:
        """(K,) of a network that takes raw pictures; all NaN where the time was up."""
        from ..trigger_search import SearchSettings, search_triggers
        from ..trigger_sizes import class_sizes

        def keep_going(fraction: float) -> bool:
            budget.progress(f"triggers of {classes} classes on made-up pictures", fraction)
            return not budget.spent

        victims = self._victims(logits, domain, classes, budget)
        if victims is None:
            return np.full(classes, np.nan)
        settings = SearchSettings(steps=self.search_steps, micro_batch=victims.pass_size)
        found = search_triggers(logits, victims, tuple(range(classes)), (budget.seed,), settings, keep_going)
        return class_sizes([f.trigger for f in found if f.trigger], classes)

    def _victims(self, logits: Logits, domain: InputDomain, classes: int, budget: Budget) -> Victims | None:
        import torch

        from ..dreams import dreams
        from ..victims import Victims

        each = max(3, -(-self.pictures // classes))
        wanted = torch.arange(classes, device=budget.device).repeat_interleave(each)
        shape = (domain.channels, domain.height, domain.width)
        passes = Victims(torch.empty(1, *shape, device=budget.device), wanted).pass_size

        def keep_going(fraction: float) -> bool:
            budget.progress("making up pictures", fraction)
            return not budget.spent

        made = dreams(
            logits, shape, wanted, steps=self.steps, lr=self.lr, passes=passes, seed=budget.seed, keep_going=keep_going
        )
        if made is None:
            return None
        with torch.no_grad():
            predicted = torch.cat([logits(part).argmax(1) for part in torch.split(made, passes)])
        return Victims(made, predicted)
