"""How good a classifier file is, and how well an attack on it works: measured in onnxruntime."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..converters import Model
from ..scanner.findings import Rate
from .attacks import BadNets
from .train import as_input

__all__ = ["attack_success", "clean_accuracy"]


def clean_accuracy(model: Model, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Rate:
    """Share of the images, (N, H, W) or (N, H, W, C), that the model gives their label."""
    return Rate.of(model.predict(as_input(images)) == labels)


def attack_success(
    model: Model, attack: BadNets, target: int, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> Rate:
    """Share of the other classes' images that the model gives the target class once they are stamped."""
    others = attack.stamp(images[labels != target])
    return Rate.of(model.predict(as_input(others)) == target)
