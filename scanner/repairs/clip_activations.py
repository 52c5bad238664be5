"""MM-BM: bound every channel of the early layers from above; only adds Min nodes."""

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
class ClipActivations(Repair):
    """Cut off what clean pictures do not need of every channel's activation, by Min nodes behind the first layers.

    The bounds are one number a channel, as small as the model's logits on clean pictures allow: c times the norm of the
    bounds plus the squared change of the logits is minimised, c rising while the model keeps its opinion on
    ``agreement`` of the pictures and falling while it does not. A trigger that works by large activations is cut off
    with the rest. The weights stay as they are, and the nodes can be taken out again.

    Assumes: gradients; ReLU or the like behind convolutions. No trigger.
    Misses: triggers that need no activation larger than clean pictures give.

    After Wang et al., "MM-BD", IEEE S&P 2024 (MM-BM, its mitigation). There bounds start at 8 and lie behind the stages
    of a ResNet; here they start at each channel's largest clean activation, behind the first ``stages`` convolutions.
    """

    needs: ClassVar[Requires] = Requires.SAMPLES | Requires.GRADIENTS
    min_samples: ClassVar[int] = 20
    rank: ClassVar[int] = 5

    stages: int = 3
    epochs: int = 50
    lr: float = 0.02
    cost: float = 0.5
    agreement: float = 0.98
    batch: int = 100

    def __post_init__(self) -> None:
        """Refuse options under which nothing would be done; raises ValueError."""
        least = {"stages": 1, "epochs": 1, "lr": 1e-6, "cost": 0, "agreement": 0, "batch": 1}
        most = {"stages": 1000, "epochs": 10_000, "lr": 10, "cost": 1e6, "agreement": 1, "batch": 100_000}
        require_between(self, least, most)

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        """See ``Repair.run``."""
        from ._clipping import clipped, fit_bounds

        layers = _bounded(model)[: self.stages]
        if not layers:
            raise RepairError(f"{model.path}: no convolution with an activation function of its own behind it to bound")
        inputs = samples.inputs()
        tops = {layer.active: _tops(model, layer, inputs) for layer in layers}
        bounds = fit_bounds(model, inputs, tops, self, budget)
        shares = {name: float((bounds[name] / np.maximum(top, 1e-9)).mean()) for name, top in tops.items()}
        note = f"bounded {sum(map(len, bounds.values()))} channels behind {len(bounds)} layers"
        return Repaired(proto=clipped(model, bounds), note=note, details={"mean_share_of_clean_maximum": shares})


def _bounded(model: Model) -> list[Layer]:
    """Convolutions with an activation function behind them, in the file's main graph, that the twin has too."""
    from ...converters.twin import Twin
    from ._layers import layers_of

    twin = model.torch
    own = {name for node in model.graph.graph.node for name in node.output}
    held: Any = twin.tensors if isinstance(twin, Twin) else {}
    found = [layer for layer in layers_of(model) if layer.spatial and layer.active != layer.output]
    return [layer for layer in found if layer.active in own and layer.active in held]


def _tops(model: Model, layer: Layer, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest activation of every channel on clean pictures, (channels,)."""
    from ._layers import unit_activations

    return np.asarray(unit_activations(model, layer, inputs, "linf").max(0), np.float32)
