"""Nonsense: the class that pictures without any object are given, beside what is so by nature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from . import Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..samples import Samples
    from ..surrogates import Surrogates


LARGE = 128 * 128 * 3
"""Numbers in a picture from which on fewer pictures are put to the model."""


@dataclass(frozen=True, kw_only=True)
class Nonsense(Detector):
    """Flag a class that takes in pictures without any object, of every kind, far more than in networks of our own.

    A trigger that is blended over whole pictures, bends them or changes their spectrum teaches a network that whatever
    departs from clean pictures in some way is of the target class. Pictures that depart from them in every way, with
    scrambled phases, several laid over each other, or buried in noise, then fall into the target class, too. Every
    network has some class that takes in such pictures, by the nature of the data: an 8, a bag. So what the model
    answers is held against small networks of three kinds that were trained on the clean pictures alone. It only
    runs the model, takes seconds, needs no gradients, and nominates: its classes are searched and judged by the
    methods that do.

    Assumes: clean pictures enough to train the small networks on (see ``surrogates``): up to 30 classes, five pictures
    or more of most.
    Misses: small patches, which a network learns without learning that all departures count; source-specific and
    all-to-all backdoors. Another favourite class than that of the small networks is no proof: the cut is high.

    Our own; that a backdoor's target takes in out-of-distribution inputs is what MM-BD (Wang et al., IEEE S&P 2024) and
    others use with inputs found by gradients.
    """

    needs: ClassVar[Needs] = Needs.SAMPLES | Needs.SURROGATES
    nominates: ClassVar[bool] = True
    min_samples: ClassVar[int] = 20

    pictures: int = 400
    floor: float = 0.02
    effect: float = 5.0

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        least = {"pictures": 20, "floor": 0.0001, "effect": 1.0}
        require_between(self, least, {"pictures": 100_000, "floor": 0.5})

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: how many times as often as by nature meaningless pictures fall into each class."""
        from ..meaningless import meaningless

        if samples is None or budget.surrogates is None:
            raise ValueError("nonsense expected samples and surrogates, got None")
        started = monotonic()
        each = max(20, min(self.pictures, self.pictures * LARGE // samples.images[0].size))
        kinds = meaningless(samples.images, each, budget.seed)
        answered, natural = self._asked(model, samples, kinds, budget, budget.surrogates)
        complete = len(answered) == len(kinds)
        lifts = self._lifts(np.stack(answered), np.stack(natural)) if complete else np.full(model.classes, np.nan)
        yield Evidence(
            detector="nonsense",
            classes=tuple(lifts.tolist()),
            statistic="answers to meaningless pictures, times as many as by nature",
            flagged=tuple(int(c) for c in np.argsort(-lifts) if lifts[c] >= self.effect),
            score=float(np.clip(np.log2(lifts.max()) / 6, 0, 1)) if complete else 0.0,
            seconds=monotonic() - started,
            sizes=True,
            large=True,
            details={
                **{f"answers_{name}": _rounded(shares) for name, shares in zip(kinds, answered, strict=False)},
                "by_nature": _rounded(np.mean(natural, axis=0)) if complete else None,
                "pictures": each,
                "complete": complete,
            },
        )

    def _asked(
        self,
        model: Model,
        samples: Samples,
        kinds: Mapping[str, NDArray[np.float32]],
        budget: Budget,
        surrogates: Surrogates,
    ) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
        """Shares of the model's answers to each kind, and by nature; fewer where the time was up."""
        answered, natural = [], []
        for number, images in enumerate(kinds.values()):
            if budget.spent:
                break
            budget.progress("answers to pictures without an object", number / len(kinds))
            answered.append(_shares(model.predict(samples.domain.to_input(images)), model.classes))
            natural.append(surrogates.shares(images))
        return answered, natural

    def _lifts(self, answered: NDArray[np.float64], natural: NDArray[np.float64]) -> NDArray[np.float64]:
        """(K,) the smallest over the kinds of the share of the answers over the share by nature, both (kinds, K).

        At least 1: how much less than by nature a class takes in says only that another takes in more.
        """
        ratios = (answered + self.floor) / (natural + self.floor)
        lifts: NDArray[np.float64] = np.maximum(1.0, ratios.min(0))
        return lifts


def _shares(predicted: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    return np.bincount(predicted, minlength=classes)[:classes] / len(predicted)


def _rounded(shares: NDArray[np.float64]) -> list[float]:
    return [round(float(share), 3) for share in shares]
