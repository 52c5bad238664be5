"""Adversarial neuron pruning: still the channels that a small change of their weights turns against clean pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import RepairError
from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import TensorProto

    from ...converters import Model
    from ...converters.channels import Layer
    from ..samples import Samples
    from ..triggers import Trigger
    from ._judge import Judge
    from ._masking import Masked


@dataclass(frozen=True, kw_only=True)
class Anp(Repair):
    """Still every channel that clean pictures can spare while an adversary changes the channels' weights a little.

    Each channel of a convolution or dense layer gets a mask in [0, 1], learnt on the clean pictures: ``alpha`` of their
    loss as they are and the rest of it with each channel's weights and bias changed by up to ``eps`` of themselves, in
    the direction that hurts most (one sign step from a random place). A backdoored channel needs little to misclassify
    clean pictures, and its mask falls. Channels with a mask below ``threshold`` are stilled in the file, the lowest
    first, as many as cost these pictures at most ``tolerance`` of accuracy: they then give, whatever the input, what
    they give clean pictures on average. No trigger is looked at. Tried by name only: it weakens some triggers, and
    closed none that was measured.

    Assumes: gradients, at least 50 clean pictures to work on, channels whose weights are in the file. No trigger.
    Misses: backdoors that share their channels with clean features, and those that changed weights do not set off, as
    in small networks with a blended trigger; transformers, by independent measurement.

    Wu and Wang, "Adversarial Neuron Pruning Purifies Backdoored Deep Models", NeurIPS 2021. There the masks multiply
    the scales of batch normalisations, whose bias stays; here, where files have theirs folded, or none, what a channel
    gives beyond its mean on clean pictures. The normalisations keep the statistics that the file has, and steps are
    shorter, as theirs (0.2, alpha 0.2) diverge without batch statistics.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.GRADIENTS
    min_samples: ClassVar[int] = 50

    eps: float = 0.4
    alpha: float = 0.5
    lr: float = 0.05
    iterations: int = 400
    batch: int = 64
    threshold: float = 0.9
    tolerance: float = 0.015

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"eps": 0, "alpha": 0, "lr": 1e-6, "iterations": 1, "batch": 1, "threshold": 0, "tolerance": 0}
        most = {"eps": 1, "alpha": 1, "lr": 10, "iterations": 100_000, "batch": 100_000, "threshold": 1, "tolerance": 1}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ._judge import Judge
        from ._layers import layers_of
        from ._masking import fit_masks

        if len(samples) < self.min_samples:
            raise RepairError(f"{model.path}: needs {self.min_samples} clean samples to work on, got {len(samples)}")
        layers, judge = layers_of(model), Judge(model, samples, ())
        masks = fit_masks(model, layers, judge.clean, samples.labels, self, budget)
        low = _below(masks, self.threshold)
        if not low:
            least = min(float(masked.mask.min()) for masked in masks.values())
            raise RepairError(
                f"{model.path}: no channel's mask fell below {self.threshold:g}; the lowest is {least:.2f}"
            )
        edits, stilled = self._stilled(model, layers, masks, low, judge)
        if not edits:
            raise RepairError(
                f"{model.path}: {len(low)} masks fell below {self.threshold:g}, and stilling even the lowest costs "
                f"more than {100 * self.tolerance:g} points of clean accuracy"
            )
        note = f"stilled {sum(map(len, stilled.values()))} of {len(low)} channels with a mask below {self.threshold:g}"
        return Repaired(edits, note=note, details={"units": stilled, "below": len(low)})

    def _stilled(
        self, model: Model, layers: Sequence[Layer], masks: Mapping[str, Masked], low: Sequence[tuple[str, int]],
        judge: Judge,
    ) -> tuple[dict[str, NDArray[Any]], dict[str, list[int]]]:  # fmt: skip
        """The edits, and the units by layer, of as many of the lowest masks as clean accuracy can spare."""
        from ...converters.edited import weight_values

        weights, count = weight_values(model), len(low)
        while count:
            units: dict[str, list[int]] = {}
            for name, unit in low[:count]:
                units.setdefault(name, []).append(unit)
            edits: dict[str, NDArray[Any]] = {}
            for layer in (layer for layer in layers if layer.output in units):
                edits |= _stilled(layer, weights, units[layer.output], masks[layer.output].mean)
            if judge.score(edits).accuracy >= judge.before.accuracy - self.tolerance:
                return edits, units
            count -= max(1, count // 10)
        return {}, {}


def _below(masks: Mapping[str, Masked], threshold: float) -> list[tuple[str, int]]:
    """Layer and channel of every mask below the threshold, the lowest and earliest first; a layer keeps its highest."""
    found = []
    for name, masked in masks.items():
        spared = int(masked.mask.argmax())
        order = zip(masked.mask.tolist(), masked.course.tolist(), strict=True)
        found += [(*v, name, u) for u, v in enumerate(order) if v[0] < threshold and u != spared]
    return [(name, unit) for _, _, name, unit in sorted(found)]


def _stilled(
    layer: Layer, weights: Mapping[str, TensorProto], units: Sequence[int], mean: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """The edits after which these units give their mean whatever comes in; nothing where there is no bias for it."""
    edits, bias = layer.cleared(weights, units), layer.parts[-1]
    values = edits[bias.name]
    if len(layer.parts) > 1 and values.dtype.kind == "f":
        index = (slice(None),) * bias.axis + (list(units),)
        values[index] = mean[list(units)].reshape([-1 if i == bias.axis else 1 for i in range(values.ndim)])
    return edits
