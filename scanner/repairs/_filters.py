"""A layer's filters, and what can be read off them without data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import TensorProto

    from ...converters.channels import Layer

__all__ = ["filters", "gains", "likeness"]


def filters(layer: Layer, weights: Mapping[str, TensorProto]) -> NDArray[np.float64]:
    """The filters (units, inputs, positions), zero points taken off; times the batch normalisation that follows."""
    from onnx import numpy_helper

    part = layer.parts[0]
    values = numpy_helper.to_array(weights[part.name]).astype(np.float64) - np.asarray(part.nothing, np.float64)
    values = np.moveaxis(values, part.axis, 0)
    shaped = values.reshape(len(values), values.shape[1] if values.ndim > 1 else 1, -1)
    if layer.norm is None or any(name not in weights for name in layer.norm[:2]):
        return np.asarray(shaped)
    scale, variance = (numpy_helper.to_array(weights[name]).astype(np.float64) for name in layer.norm[:2])
    return np.asarray(shaped * (np.abs(scale) / np.sqrt(variance + layer.norm[2]))[:, None, None])


def gains(layer: Layer, weights: Mapping[str, TensorProto]) -> NDArray[np.float64]:
    """The largest singular value of every unit's filter as a matrix of inputs by positions, (units,)."""
    return np.asarray(np.linalg.norm(filters(layer, weights), ord=2, axis=(1, 2)))


def likeness(layer: Layer, weights: Mapping[str, TensorProto]) -> NDArray[np.float64]:
    """The largest absolute cosine between a unit's filter and another one of the layer, (units,) in [0, 1]."""
    rows = filters(layer, weights).reshape(layer.channels, -1)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    cosines = np.abs(rows @ rows.T)
    np.fill_diagonal(cosines, 0)
    return np.asarray(cosines.max(1))
