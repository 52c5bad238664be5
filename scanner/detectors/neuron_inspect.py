"""NeuronInspect: heatmaps of every class on clean pictures, and the class whose heatmaps are those of a shortcut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..outliers import anomaly_index, ranking
from . import NOMINATION, Budget, Detector, Needs, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..saliency import Saliency
    from ..samples import Samples

FEATURES = ("sparse", "smooth", "persistent")
BLOCK = 128  # classes whose maps are held at once
NOTHING = "needs three classes or more whose heatmaps differ; where no gradient reaches the pixels there are none"
MASKED = 0.2  # share of void heatmaps from which a class's gradient is called masked


@dataclass(frozen=True, kw_only=True)
class NeuronInspect(Detector):
    """Flag a class whose heatmaps on clean pictures are sparse, smooth and the same on every picture.

    A heatmap is the gradient of a class's score by the pixels. A class is normally recognised by something that is
    elsewhere in every picture and has edges; a backdoor's target also answers to the trigger's place, which is a small
    spot and always the same. The three features are compared over the classes, as logarithms in robust standard
    deviations, and added with weights. There is no optimisation: one forward pass, one backward pass for each class. It
    recovers no trigger, so it only nominates: its classes are searched and judged by the methods that do, and the
    heatmaps of the most extreme one are kept as pictures.

    Assumes: gradients; at least 10 clean samples (32 or more are better); a trigger with its own place.
    Misses: a trigger whose branch is silent on clean pictures, by design or because its units are saturated; triggers
    that cover the picture. It also flags clean classes that are themselves recognised by one place (trousers by the gap
    between the legs), and says nothing of models of fewer than about five classes, where outliers cannot be told.

    Huang, Alzantot and Srivastava, "NeuronInspect: Detecting Backdoors in Neural Networks via Output Explanations",
    2019. The authors' weights and threshold are not public; these are ours and not calibrated.
    """

    needs: ClassVar[Needs] = Needs.GRADIENTS | Needs.SAMPLES
    min_samples: ClassVar[int] = 10
    nominates: ClassVar[bool] = True

    images: int = 64
    passes: int = 20_000
    quantile: float = 0.8
    batch: int = 16
    sparse: float = 0.25
    smooth: float = 0.25
    persistent: float = 0.5
    rate: float = NOMINATION

    def __post_init__(self) -> None:
        """Refuse options that leave nothing to compare; raises ValueError."""
        least = {"images": 2, "passes": 1, "quantile": 0.1, "batch": 1, "rate": 0.0001}
        require_between(self, {**least, **dict.fromkeys(FEATURES, 0.0)}, {"quantile": 0.999, "rate": 0.5})
        if not 0 < sum(self._weights) < float("inf"):
            raise ValueError(f"expected weights of which one is above 0 and all are finite, got {self._weights}")

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: each class's weighted features, and the heatmap of the most extreme class."""
        if samples is None:
            raise ValueError("neuron-inspect expected samples, got None")
        started = monotonic()
        most = max(self.min_samples, min(self.images, self.passes // model.classes))
        looked = samples.draw(most, budget.seed)
        features, void = self._features(model, looked, budget)
        combined = self._combined(features)
        ranked, compared = ranking(combined, self.rate), bool(np.isfinite(combined).any())
        yield Evidence(
            detector="neuron-inspect",
            classes=tuple(combined.tolist()),
            statistic="sparse, smooth and persistent heatmaps, robust deviations from the median class",
            flagged=ranked.beyond,
            score=ranked.score,
            p_value=ranked.p_value,
            seconds=monotonic() - started,
            details={
                **ranked.told,
                **{name: [float(v) for v in values] for name, values in zip(FEATURES, features, strict=True)},
                "gradient_masked": [c for c in range(model.classes) if void[c] > MASKED],
                "complete": compared or not budget.spent,
                "not_checked": "" if compared or budget.spent else NOTHING,
                "pictures": len(looked),
            },
            maps=self._maps(model, looked, ranked.order[0], budget) if ranked.order else {},
        )

    @property
    def _weights(self) -> tuple[float, float, float]:
        return self.sparse, self.smooth, self.persistent

    def _features(
        self, model: Model, samples: Samples, budget: Budget
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The features (3, K), NaN where there was no time or no gradient, and the share of void heatmaps (K,)."""
        features, void = np.full((3, model.classes), np.nan), np.zeros(model.classes)
        for first in range(0, model.classes, BLOCK):
            block = range(first, min(first + BLOCK, model.classes))
            seen = self._look(model, samples, block, budget)
            if seen is None:
                return np.full_like(features, np.nan), void
            features[:, block] = [getattr(seen, name).cpu().numpy() for name in FEATURES]
            void[block] = seen.void.cpu().numpy()
        return features, void

    def _look(self, model: Model, samples: Samples, classes: range, budget: Budget) -> Saliency | None:
        import torch

        from ..saliency import saliency

        def keep_going(fraction: float) -> bool:
            budget.progress("heatmaps", (classes.start + fraction * len(classes)) / model.classes)
            return not budget.spent

        return saliency(
            lambda x: model.torch(samples.domain.to_input(x)),
            torch.from_numpy(samples.images).to(budget.device),
            torch.tensor(list(classes)),
            quantile=self.quantile,
            batch=self.batch,
            keep_going=keep_going,
        )

    def _combined(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(K,) the weighted sum of the features in robust deviations from the median class; small is suspicious."""
        total, used = np.zeros(features.shape[1]), 0.0
        for weight, values in zip(self._weights, features, strict=True):
            deviations = -anomaly_index(np.log(np.maximum(values, 1e-12)))
            if weight and np.isfinite(deviations).any():  # a feature in which most classes are tied says nothing
                total, used = total + weight * deviations, used + weight
        return total / used if used else np.full_like(total, np.nan)

    def _maps(self, model: Model, samples: Samples, target: int, budget: Budget) -> dict[str, NDArray[np.float32]]:
        """The mean heatmap of a class, and how often each pixel is among its strongest."""
        seen = self._look(model, samples, range(target, target + 1), budget)
        if seen is None:
            return {}
        maps = {"heatmap": seen.heat, "strongest": seen.frequency}
        return {f"{name}-class{target}": value[0].cpu().numpy() for name, value in maps.items()}
