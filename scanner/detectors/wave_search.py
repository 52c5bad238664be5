"""Wave search: the class that the faintest wave over whole pictures makes a network answer; needs no gradients."""

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
from . import NOMINATION, Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    import torch

    from ...converters import Model
    from ..samples import Samples
    from ..waves import Faintest

    Classify = Callable[[NDArray[np.float32]], NDArray[np.int64]]
    Logits = Callable[[torch.Tensor], torch.Tensor]

SMALLEST = 8  # pixels a side; a wave of less is no wave


@dataclass(frozen=True, kw_only=True)
class WaveSearch(Detector):
    """Flag a class that a far fainter wave over whole pictures is enough for than for any other class.

    Triggers that cover the picture, blended, a wave, bent, of low frequency or made for each picture, teach a network
    that small changes everywhere mean the target; a patch that is searched for does not show it. Here plane waves of
    all directions, up to ``cycles`` cycles across the picture, are added to ``pictures`` clean ones in three strengths,
    and each class counts by the faintest wave that turns most pictures of the others into it. Every network has classes
    that waves lead to, an 8 or a bag; small networks that were trained on the clean pictures alone say what is so by
    nature. It only runs the model, and nominates: its classes are searched and judged by the methods that do.

    Assumes: pictures of at least eight pixels a side, five classes or more, and clean pictures enough to train the
    small networks on (see ``surrogates``).
    Misses: small patches and single pixels; source-specific and all-to-all backdoors; a target that waves lead to in
    any network.

    Our own; that a network's answers to single Fourier waves tell its weaknesses is from Yin et al., "A Fourier
    Perspective on Model Robustness in Computer Vision", NeurIPS 2019.
    """

    needs: ClassVar[Needs] = Needs.SAMPLES
    nominates: ClassVar[bool] = True
    min_samples: ClassVar[int] = 5

    pictures: int = 30
    cycles: int = 7
    effect: float = 3.0
    rate: float = NOMINATION

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        least = {"pictures": 5, "cycles": 1, "effect": 1.0, "rate": 0.0001}
        require_between(self, least, {"pictures": 10_000, "cycles": 100, "rate": 0.5})

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: the amplitude of the faintest wave that leads to each class, of the pictures' range."""
        if samples is None:
            raise ValueError("wave-search expected samples, got None")
        started = monotonic()
        reason = _unfit(samples, budget)
        images = samples.images[:: max(1, len(samples) // self.pictures)][: self.pictures]
        found = natural = None
        if not reason:
            found = self._found(lambda x: model.predict(samples.domain.to_input(x)), images, model.classes, budget)
            natural = self._natural(images, budget)
        sizes = _sizes(found, model.classes)
        beside = np.log2(sizes) + (0 if natural is None else NATURE * natural)
        ranked = ranking(beside, self.rate)
        small = beside <= (np.nanmedian(beside) if ranked.order else np.nan) - np.log2(self.effect)
        yield Evidence(
            detector="wave-search",
            classes=tuple(sizes.tolist()),
            statistic="amplitude of the faintest wave that leads to the class, of the pictures' range",
            flagged=tuple(c for c in ranked.beyond if small[c]),
            score=ranked.score,
            p_value=ranked.p_value,
            seconds=monotonic() - started,
            sizes=True,
            details={
                **ranked.told,
                **({} if natural is None else {"natural": [round(float(v), 3) for v in natural]}),
                "pictures": len(images),
                "complete": not budget.spent,
                "not_checked": reason,
            },
            maps=_maps(found, ranked.order[0]) if found and ranked.order else {},
        )

    def _natural(self, images: NDArray[np.float32], budget: Budget) -> NDArray[np.float64] | None:
        """(K,) powers of two by which each class's wave is fainter than the median in networks of the samples alone."""
        surrogates = budget.surrogates
        if surrogates is None or budget.spent:
            return None

        def ask(logits: Logits) -> NDArray[np.float64]:
            found = self._found(_classes_of(logits, budget.device), images, surrogates.classes, budget)
            return _sizes(found, surrogates.classes)

        return surrogates.dreamt(ask)

    def _found(self, classify: Classify, images: NDArray[np.float32], classes: int, budget: Budget) -> Faintest | None:
        """None where the time was up."""
        from ..waves import faintest

        def keep_going(fraction: float) -> bool:
            budget.progress("waves over pictures", fraction)
            return not budget.spent

        return faintest(classify, images, classes, self.cycles, keep_going)


def _unfit(samples: Samples, budget: Budget) -> str:
    """Why nothing can be told; "" where it can."""
    from ..surrogates import INCOMPARABLE

    if samples.images.ndim != 4 or min(samples.images.shape[2:]) < SMALLEST:
        return f"lays waves over pictures, and the input is none of {SMALLEST} pixels a side or more"
    return "" if budget.surrogates else INCOMPARABLE


def _sizes(found: Faintest | None, classes: int) -> NDArray[np.float64]:
    """(K,); all NaN where nothing was found."""
    return np.full(classes, np.nan) if found is None else found.amplitudes


def _maps(found: Faintest, target: int) -> dict[str, NDArray[np.float32]]:
    """The wave that leads to the class, dark where it takes light away."""
    return {f"wave-class{target}": ((found.waves[target] + 1) / 2).astype(np.float32)}


def _classes_of(logits: Logits, device: str) -> Classify:
    import torch

    def classify(images: NDArray[np.float32]) -> NDArray[np.int64]:
        with torch.no_grad():
            return np.asarray(logits(torch.from_numpy(images).to(device)).argmax(1).cpu().numpy(), np.int64)

    return classify
