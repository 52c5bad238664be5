"""Which layer a repair works on, and how its units answer to clean and to stamped pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RepairError
from ._judge import require_others

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.channels import Layer
    from ..samples import Samples
    from ..triggers import Trigger

__all__ = ["activation_change", "choose_layer", "layers_of", "unit_activations"]

STATISTICS = ("mean", "l1", "l2", "linf")


def layers_of(model: Model) -> tuple[Layer, ...]:
    """The layers whose units can be cleared without changing another layer, in order of execution.

    Raises:
        RepairError: there is none; says why those that there are cannot be edited.
    """
    from ...converters.channels import find_layers

    layers = find_layers(model.graph, model.facts.output.name)
    if not layers.found:
        why = "; ".join(f"{name}: {reason}" for name, reason in layers.refused[:3])
        raise RepairError(
            f"{model.path}: it has no hidden layer whose units could be pruned" + (f" ({why})" if why else "")
        )
    return layers.found


def choose_layer(model: Model, name: str = "") -> Layer:
    """The last layer with feature maps (a convolution, or a normalisation behind one), else the last hidden one.

    Args:
        name: of the layer's output tensor, where the user chose.

    Raises:
        RepairError: there is none, or none of that name.
    """
    layers = layers_of(model)
    if name:
        for layer in layers:
            if name in (layer.output, layer.active):
                return layer
        known = ", ".join(layer.output for layer in layers[-8:])
        raise RepairError(f"{model.path}: no layer {name!r} whose units could be pruned; there are {known}")
    return next((layer for layer in reversed(layers) if layer.spatial), layers[-1])


def unit_activations(model: Model, layer: Layer, inputs: NDArray[Any], statistic: str) -> NDArray[np.float32]:
    """A statistic of every sample and unit over the unit's positions, (N, units).

    Args:
        statistic: "mean" of the values, or their "l1", "l2" or "linf" norm.
    """
    import torch

    from ...converters.edited import activations
    from ...kernels.activation_norms import activation_norms

    found = []
    for start in range(0, len(inputs), 256):  # feature maps are large, their norms are not
        values = activations(model, [layer.active], inputs[start : start + 256])[layer.active]
        if layer.operator == "MatMul" and values.ndim > 2:
            values = np.moveaxis(values, -1, 1)
        norms = activation_norms(torch.from_numpy(np.ascontiguousarray(values, np.float32)), moments=True)
        found.append(getattr(norms, statistic).numpy())
    return np.concatenate(found)


def activation_change(
    model: Model, layer: Layer, samples: Samples, triggers: Sequence[Trigger], statistic: str
) -> NDArray[np.float32]:
    """How much more every unit answers to a stamped picture than to the same one clean, (units,); worst trigger."""
    changes = []
    for trigger in triggers:
        others = require_others(samples, trigger)
        stamped = samples.domain.to_input(trigger.stamp(others.images))
        pair = [unit_activations(model, layer, inputs, statistic) for inputs in (stamped, others.inputs())]
        change = (pair[0] - pair[1]).mean(0)
        changes.append(change / (np.abs(change).max() or 1.0))  # so that no trigger drowns another
    return np.asarray(np.max(changes, axis=0), np.float32)
