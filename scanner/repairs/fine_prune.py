"""Fine-Pruning: clear the units that clean pictures do not use, then train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import Budget, Repair, Repaired, Requires, require_between

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.channels import Layer
    from ...converters.twin import Twin
    from ..samples import Samples
    from ..triggers import Trigger


@dataclass(frozen=True, kw_only=True)
class FinePrune(Repair):
    """Clear the units of the last convolution that clean pictures excite least, then fine-tune on clean pictures.

    Units are cleared in the order of their mean activation on clean pictures until ``tolerance`` of clean accuracy or
    ``most`` of the units are gone; then the twin is trained on clean pictures, with the cleared units kept out.

    Assumes: gradients, float weights; a backdoor with units that clean pictures do not excite. No trigger.
    Misses: backdoors that share their units with clean features, which are most.

    Liu et al., "Fine-Pruning", RAID 2018. The accuracy that stops the pruning is measured on the samples given, and the
    fine-tuning learns 1 - ``own`` of the labels and ``own`` of what the model said before.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.GRADIENTS
    min_samples: ClassVar[int] = 20
    rank: ClassVar[int] = 8

    layer: str = ""
    most: float = 0.9
    tolerance: float = 0.04
    lr: float = 0.001
    epochs: int = 5
    batch: int = 32
    own: float = 0.5

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"most": 0, "tolerance": 0, "lr": 1e-6, "epochs": 1, "batch": 1, "own": 0}
        most = {"most": 1, "tolerance": 1, "lr": 10, "epochs": 10_000, "batch": 100_000, "own": 1}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ._judge import Judge
        from ._layers import choose_layer
        from ._tuning import Tuning, fine_tune, goals

        layer, judge = choose_layer(model, self.layer), Judge(model, samples, ())
        units, start = self._dormant(model, layer, judge)
        wanted = goals(model, judge.clean, samples.labels, self.own)

        def draw(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            order = rng.permutation(len(samples))
            return judge.clean[order], wanted[order]

        def cost(twin: Twin) -> float:
            return 1 - float((twin.scores(judge.clean).argmax(1) == samples.labels).mean())

        tuned = fine_tune(model, draw, cost, Tuning(self.lr, self.epochs, self.batch), budget, start)
        note = f"cleared {len(units)} of {layer.channels} units of {layer.operator} {layer.output!r}, then trained"
        edits = {**tuned.edits, **_kept_out(model, layer, units, tuned.edits)}
        return Repaired(edits, note=note, details={"layer": layer.output, "units": units, "epochs": tuned.epoch})

    def _dormant(self, model: Model, layer: Layer, judge: Any) -> tuple[list[int], dict[str, NDArray[Any]]]:
        """The units that can be spared, and the edits that clear them."""
        from ...converters.edited import weight_values
        from ._layers import unit_activations

        weights = weight_values(model)
        order = np.argsort(unit_activations(model, layer, judge.clean, "mean").mean(0), kind="stable").tolist()
        most, step = min(layer.channels - 1, int(self.most * layer.channels)), max(1, layer.channels // 50)
        units, edits = list[int](), dict[str, NDArray[Any]]()
        for count in range(step, most + 1, step):
            proposal = layer.cleared(weights, order[:count])
            if judge.score(proposal).accuracy < judge.before.accuracy - self.tolerance:
                break
            units, edits = order[:count], proposal
        return units, edits


def _kept_out(model: Model, layer: Layer, units: list[int], edits: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The layer's weights after training, its cleared units cleared again."""
    from onnx import numpy_helper

    from ...converters.edited import weight_values

    weights = weight_values(model)
    weights |= {part.name: numpy_helper.from_array(edits[part.name]) for part in layer.parts if part.name in edits}
    return layer.cleared(weights, units) if units else {}
