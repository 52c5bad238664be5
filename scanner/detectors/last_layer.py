"""Last-layer signature: without running the model, the class whose last weights are larger than the others'."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..findings import Evidence
from ..outliers import ranking
from . import NOMINATION, Budget, Detector, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ..samples import Samples


@dataclass(frozen=True, kw_only=True)
class LastLayer(Detector):
    """Flag a class whose row of weights in the last layer has a larger mean than any other class's; needs no data.

    In training on triggered inputs the target's row is pushed up by features of every class at once. The means of the
    rows are compared by their median absolute deviation, with a cut that depends on the number of classes; only their
    differences count, as a vector that is added to every row changes no answer. It reads the file and runs nothing, so
    it also works where there is no torch twin. It recovers no trigger, so it only nominates: its classes are searched
    and judged by the methods that do.

    Assumes: logits made by one matrix product or convolution with constant weights; about five classes or more.
    Misses: backdoors whose features take over some classes only, training that keeps the rows alike, several targets.
    It also flags classes whose rows differ for other reasons, such as their share of the training data.

    Fields et al., "Trojan Signatures in DNN Weights", ICCV workshops 2021. They use Dixon's Q test.
    """

    nominates: ClassVar[bool] = True

    rate: float = NOMINATION

    def __post_init__(self) -> None:
        """Refuse a rate that would flag everything or nothing; raises ValueError."""
        require_between(self, {"rate": 0.0001}, {"rate": 0.5})

    def run(self, model: Model, samples: Samples | None, budget: Budget) -> Iterator[Evidence]:
        """Yield one Evidence: the mean of each class's last weights; NaN where there is no such layer."""
        started = monotonic()
        means = _means(model)
        ranked, found = ranking(-means, self.rate), bool(np.isfinite(means).any())
        yield Evidence(
            detector="last-layer",
            classes=tuple(means.tolist()),
            statistic="mean of the class's weights in the last layer",
            flagged=ranked.beyond,
            score=ranked.score,
            p_value=ranked.p_value,
            seconds=monotonic() - started,
            details={
                **ranked.told,
                "layer_found": found,
                "not_checked": "" if found else "no last layer with constant weights, a row of them for each class",
            },
            large=True,
        )


def _means(model: Model) -> NDArray[np.float64]:
    from ...converters.last_layer import last_layer

    rows = last_layer(model.graph, model.facts.output.name)
    if rows is None or len(rows) != model.classes:
        return np.full(model.classes, np.nan)
    means: NDArray[np.float64] = rows.mean(axis=1)
    return means
