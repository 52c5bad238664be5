"""Wave search: the class that fainter waves lead to than in networks of clean pictures alone; needs no gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..outliers import ranking
from . import NOMINATION, Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    import torch

    from ...converters import Model
    from ..samples import Samples

    Amplitudes = NDArray[np.float64]
    Classify = Callable[[NDArray[np.float32]], NDArray[np.int64]]
    Logits = Callable[[torch.Tensor], torch.Tensor]

__all__ = ["WaveSearch"]

SPREAD = 0.5
"""Powers of two by which the classes of a clean model are taken to lie apart, where all but one are alike."""


@dataclass(frozen=True, kw_only=True)
class WaveSearch(Detector):
    """Flag a class that far fainter waves are enough for than small networks of the clean pictures would need.

    Triggers that cover the picture, blended, a wave, bent, of low frequency or made for each picture, teach a network
    that small changes everywhere mean the target; a patch that is searched for does not show it. Here plane waves of
    all directions, up to ``cycles`` across the picture, are added to ``pictures`` clean ones in three strengths. Every
    network has classes that waves lead to, an 8 or a bag, so that each wave is held against what it has to be in small
    networks that were trained on the clean pictures alone, the easier of them: a class counts by how much fainter it
    may be, in the wave that is ``waves`` down the list (one direction has four, its phases). It only runs the model,
    and nominates: its classes are searched and judged by the methods that do.

    Assumes: five classes or more, and clean pictures enough to train the small networks on (see ``surrogates``).
    Misses: small patches and single pixels; source-specific and all-to-all backdoors.

    Our own; that a network's answers to single Fourier waves tell its weaknesses is from Yin et al., "A Fourier
    Perspective on Model Robustness in Computer Vision", NeurIPS 2019.
    """

    needs: ClassVar[Needs] = Needs.SAMPLES | Needs.SURROGATES
    nominates: ClassVar[bool] = True
    min_samples: ClassVar[int] = 5

    pictures: int = 30
    cycles: int = 7
    waves: int = 6
    effect: float = 4.0
    rate: float = NOMINATION

    def __post_init__(self) -> None:
        """Refuse options under which nothing could be found; raises ValueError."""
        least = {"pictures": 5, "cycles": 1, "waves": 1, "effect": 1.0, "rate": 0.0001}
        require_between(self, least, {"pictures": 10_000, "cycles": 100, "waves": 1000, "rate": 0.5})

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: how faint waves may be that lead to each class, of what small networks need."""
        if samples is None or budget.surrogates is None:
            raise ValueError("wave-search expected samples and surrogates, got None")
        started = monotonic()
        images = samples.draw(self.pictures, budget.seed).images
        device = str(budget.surrogates.images.device)
        own = self._amplitudes(lambda x: model.predict(samples.domain.to_input(x)), images, model.classes, budget)
        networks = () if own is None or budget.spent else budget.surrogates.networks
        natural = [self._amplitudes(_classes_of(n, device), images, model.classes, budget) for n in networks]
        compared = self._beside(own, natural)
        sizes, best = compared or (np.full(model.classes, np.nan), np.zeros(model.classes, np.int64))
        ranked = ranking(np.log2(sizes), self.rate, least=SPREAD)
        small = sizes <= (np.nanmedian(sizes) if ranked.order else np.nan) / self.effect
        yield Evidence(
            detector="wave-search",
            classes=tuple(sizes.tolist()),
            statistic="amplitude of the waves that lead to the class, of what small networks of clean samples need",
            flagged=tuple(c for c in ranked.beyond if small[c]),
            score=ranked.score,
            p_value=ranked.p_value,
            seconds=monotonic() - started,
            sizes=True,
            details={
                **ranked.told,
                "amplitude": None if own is None else [_told(v) for v in own.min(0)],
                "pictures": len(images),
                "complete": compared is not None,
            },
            maps=self._maps(images, best, ranked.order),
        )

    def _beside(
        self, own: Amplitudes | None, natural: Sequence[Amplitudes | None]
    ) -> tuple[Amplitudes, NDArray[np.int64]] | None:
        """(K,) the model's amplitudes (W, K) over the networks', of the wave that is that far down; which it is.

        A wave is as natural as it is in the network that it is easiest in. None where one of them was not asked.
        """
        others = [amplitudes for amplitudes in natural if amplitudes is not None]
        if own is None or not others or len(others) < len(natural):
            return None
        ratios = own / np.min(others, axis=0)
        order = np.argsort(ratios, axis=0)[min(self.waves, len(ratios)) - 1]
        return np.take_along_axis(ratios, order[None], 0)[0], order

    def _amplitudes(
        self, classify: Classify, images: NDArray[np.float32], classes: int, budget: Budget
    ) -> Amplitudes | None:
        """(W, K); None where the time was up."""
        from ..waves import amplitudes

        def keep_going(fraction: float) -> bool:
            budget.progress("waves over pictures", fraction)
            return not budget.spent

        return amplitudes(classify, images, classes, self._cycles(images), keep_going)

    def _cycles(self, images: NDArray[np.float32]) -> int:
        height, width = images.shape[2:]
        return max(1, min(self.cycles, int(height) // 2, int(width) // 2))

    def _maps(
        self, images: NDArray[np.float32], best: NDArray[np.int64], order: tuple[int, ...]
    ) -> dict[str, NDArray[np.float32]]:
        """The wave that the first class is told by, dark where it takes light away."""
        from ..waves import waves

        if not order:
            return {}
        wave = waves(images.shape[2], images.shape[3], self._cycles(images))[best[order[0]]]
        return {f"wave-class{order[0]}": ((wave + 1) / 2).astype(np.float32)}


def _told(amplitude: float) -> float | None:
    return None if np.isnan(amplitude) else round(float(amplitude), 3)


def _classes_of(logits: Logits, device: str) -> Classify:
    import torch

    def classify(images: NDArray[np.float32]) -> NDArray[np.int64]:
        with torch.no_grad():
            return np.asarray(logits(torch.from_numpy(images).to(device)).argmax(1).cpu().numpy(), np.int64)

    return classify
