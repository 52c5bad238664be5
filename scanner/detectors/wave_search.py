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
    from ..surrogates import Surrogates
    from ..waves import Faintest

    Classify = Callable[[NDArray[np.float32]], NDArray[np.int64]]
    Logits = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class WaveSearch(Detector):
    """Flag a class that a far fainter wave over whole pictures is enough for than for any other class.

    Triggers that cover the picture, blended, a wave, bent, of low frequency or made for each picture, teach a network
    that small changes everywhere mean the target; a patch that is searched for does not show it. Here plane waves of
    all directions, up to ``cycles`` across the picture, are added to ``pictures`` clean ones in three strengths,
    and each class counts by the faintest wave that turns most pictures of the others into it. Every network has classes
    that waves lead to, an 8 or a bag; small networks that were trained on the clean pictures alone say what is so by
    nature. It only runs the model, and nominates: its classes are searched and judged by the methods that do.

    Assumes: five classes or more, and clean pictures enough to train the small networks on (see ``surrogates``).
    Misses: small patches and single pixels; source-specific and all-to-all backdoors; a target that waves lead to in
    any network.

    Our own; that a network's answers to single Fourier waves tell its weaknesses is from Yin et al., "A Fourier
    Perspective on Model Robustness in Computer Vision", NeurIPS 2019.
    """

    needs: ClassVar[Needs] = Needs.SAMPLES | Needs.SURROGATES
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
        if samples is None or budget.surrogates is None:
            raise ValueError("wave-search expected samples and surrogates, got None")
        started = monotonic()
        images = samples.draw(self.pictures, budget.seed).images
        found = self._found(lambda x: model.predict(samples.domain.to_input(x)), images, model.classes, budget)
        natural = self._natural(budget.surrogates, images, budget)
        sizes, complete = _sizes(found, model.classes), not budget.spent
        beside = np.log2(sizes) + NATURE * natural if complete else np.full(model.classes, np.nan)
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
                "natural": [round(float(v), 3) for v in natural],
                "pictures": len(images),
                "complete": complete,
            },
            maps=_maps(found, ranked.order[0]) if found and ranked.order else {},
        )

    def _natural(self, surrogates: Surrogates, images: NDArray[np.float32], budget: Budget) -> NDArray[np.float64]:
        """(K,) powers of two by which each class's wave is fainter than the median in networks of the samples alone."""

        def ask(logits: Logits) -> NDArray[np.float64]:
            classify = _classes_of(logits, str(surrogates.images.device))
            return _sizes(self._found(classify, images, surrogates.classes, budget), surrogates.classes)

        return np.zeros(surrogates.classes) if budget.spent else surrogates.dreamt(ask)

    def _found(self, classify: Classify, images: NDArray[np.float32], classes: int, budget: Budget) -> Faintest | None:
        """None where the time was up."""
        from ..waves import faintest

        def keep_going(fraction: float) -> bool:
            budget.progress("waves over pictures", fraction)
            return not budget.spent

        return faintest(classify, images, classes, min(self.cycles, min(images.shape[2:]) // 2), keep_going)


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
