"""Few-sample mitigation: clear neurons that look suspicious with ten clean samples in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import RepairError
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.channels import Layer
    from ..samples import Samples
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class FewSamples(Repair):
    """Clear the neurons whose weights are strong, that lie dormant on clean samples, and that resemble no neighbour.

    In every layer a neuron's suspicion is z(gain) - z(clean activation) - z(likeness): the largest singular value of
    its filter, the mean over ``samples`` clean pictures of its map's largest value, and the largest cosine between its
    filter and another of the layer; z by median and median absolute deviation. If triggers are given, ``weight`` times
    z of what they add to the activation is added. Neurons above the layer's mean plus ``u`` standard deviations are
    cleared, most suspicious first, late layers first and dense ones last, while the model keeps its opinion on
    ``agreement`` of the samples and of the same ones moved by a pixel.

    Assumes: ten clean samples (``samples``) and no more; no gradients, no training.
    Misses: backdoors that share their neurons with clean features. Without a trigger, most.

    It has the three ingredients of Zakeri-Nasrabadi et al., arXiv 2311.07417 (activation values, weights, relation to
    the other neurons of the layer); their formula was not at hand, this one is ours.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES
    min_samples: ClassVar[int] = 10
    rank: ClassVar[int] = 7

    samples: int = 10
    u: float = 1.0
    weight: float = 3.0
    agreement: float = 0.97
    dead: float = 0.02
    most: float = 0.1

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"samples": 1, "u": 0, "weight": 0, "agreement": 0, "dead": 0, "most": 0.001}
        most = {"samples": 10_000, "u": 1000, "weight": 1000, "agreement": 1, "dead": 1, "most": 1}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ._judge import Judge
        from ._layers import layers_of

        few = samples.draw(self.samples, budget.seed)
        judge, edits, cleared = Judge(model, few.moved(), triggers), dict[str, NDArray[Any]](), dict[str, list[int]]()
        layers = layers_of(model)
        for layer in sorted(layers, key=lambda layer: (layer.spatial, layers.index(layer)), reverse=True):
            if triggers and judge.score(edits).attack <= self.dead:
                break
            units = self._cleared(model, layer, few, triggers, judge, edits)
            if units:
                cleared[layer.output] = units
        if not edits:
            raise RepairError(f"{model.path}: no neuron that stands out can be spared by {len(few)} clean samples")
        count = sum(map(len, cleared.values()))
        note = f"cleared {count} neurons of {len(cleared)} layers, with {len(few)} samples"
        return Repaired(edits, note=note, details={"units": cleared})

    def _cleared(
        self, model: Model, layer: Layer, few: Samples, triggers: Sequence[Trigger], judge: Any, edits: dict[str, Any]
    ) -> list[int]:
        """The units of a layer that are cleared; their weights are put into the edits."""
        from ...converters.edited import weight_values

        suspicion = self.suspicion(model, layer, few, triggers)
        most = min(layer.channels - 1, max(1, int(self.most * layer.channels)))
        order = np.argsort(-suspicion, kind="stable")[:most]
        outliers = [int(i) for i in order if suspicion[i] > suspicion.mean() + self.u * suspicion.std()]
        weights, units = weight_values(model), list[int]()
        for unit in outliers:
            proposal = layer.cleared(weights, [*units, unit])
            if judge.agreement({**edits, **proposal}) >= self.agreement:
                units.append(unit)
                edits.update(proposal)
                if triggers and judge.score(edits).attack <= self.dead:
                    break
        return units

    def suspicion(self, model: Model, layer: Layer, few: Samples, triggers: Sequence[Trigger]) -> NDArray[np.float64]:
        """How suspicious every unit of a layer is, (units,)."""
        from ...converters.edited import weight_values
        from ._filters import gains, likeness
        from ._layers import activation_change, unit_activations

        weights = weight_values(model)
        dormant = -_z(unit_activations(model, layer, few.inputs(), "linf").mean(0))
        if layer.operator == "BatchNormalization":
            found = dormant
        else:
            found = _z(gains(layer, weights)) + dormant - _z(likeness(layer, weights))
        if triggers:
            found = found + self.weight * _z(activation_change(model, layer, few, triggers, "linf"))
        return np.asarray(found, np.float64)


def _z(values: NDArray[Any]) -> NDArray[np.float64]:
    """How many spreads above the median, at most ten either way; the spread is at least a hundredth of the range."""
    centred = values.astype(np.float64) - np.median(values)
    spread = 1.4826 * np.median(np.abs(centred))
    least = 0.01 * float(np.ptp(values)) or 1.0
    return np.asarray(np.clip(centred / max(spread, least), -10, 10))
