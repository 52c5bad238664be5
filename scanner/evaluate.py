"""The judge: accuracy and attack success of the original file, in onnxruntime, on samples no search has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .findings import Evaluation, Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..converters import Model
    from .samples import Samples
    from .triggers import Trigger

__all__ = ["attack_success", "evaluate"]


def evaluate(model: Model, samples: Samples, triggers: Sequence[Trigger]) -> Evaluation:
    """Clean accuracy on ``samples``, and the attack success of every trigger on them."""
    predicted = model.predict(samples.inputs())
    return Evaluation(
        clean_accuracy=Rate.of(predicted == samples.labels),
        attack_success=tuple((t, attack_success(model, samples, t, predicted)) for t in triggers),
        samples=len(samples),
        provider=model.provider,
    )


def attack_success(model: Model, samples: Samples, trigger: Trigger, predicted: NDArray[np.int64]) -> Rate:
    """How many pictures the trigger turns into its target, or into the one of their class.

    Args:
        predicted: (N,) what the model says of the pictures unstamped. Pictures that it gives the target anyway, and
            pictures that truly are of the target class, are not counted: they say nothing about the trigger.
    """
    wanted = trigger.wanted(predicted)
    victims = (predicted != wanted) & (samples.labels != wanted)
    if not victims.any():
        return Rate(0, 0)
    stamped = trigger.stamp(samples.images[victims])
    return Rate.of(model.predict(samples.domain.to_input(stamped)) == wanted[victims])
