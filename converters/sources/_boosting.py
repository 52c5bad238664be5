"""Boosted trees to ONNX through onnxmltools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from ..messages import one_line
from . import require
from ._graph import only_output

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

__all__ = ["converted_booster", "paired"]


def converted_booster(path: Path, converter: str, booster: Any, features: int, extra: str) -> tuple[ModelProto, str]:
    """Return the trees as ONNX, float32 (N, features) to probabilities (N, K), and who wrote it.

    Args:
        path: for messages.
        converter: name of onnxmltools' function.
        booster: what it takes.
        features: of one input.
        extra: the extra that installs onnxmltools.

    Raises:
        MissingExtra: onnxmltools is not installed.
        NotAClassifier: the trees do not tell probabilities of classes.
        ModelError: onnxmltools cannot convert them.
    """
    tools = require("onnxmltools", extra)
    types = require("onnxmltools.convert.common.data_types", extra)
    options = {"zipmap": False} if converter == "convert_lightgbm" else {}  # XGBoost's converter makes none
    try:
        shape = types.FloatTensorType([None, features])
        model = getattr(tools, converter)(booster, initial_types=[("input", shape)], **options)
    except Exception as error:  # noqa: BLE001 - its exceptions share no base class
        raise ModelError(f"{path}: onnxmltools cannot convert it: {one_line(error, 200)}") from None
    return only_output(model, "probabilities", str(path)), f"onnxmltools {tools.__version__}"


def paired(probabilities: NDArray[Any]) -> NDArray[Any]:
    """Two classes share one probability, that of the second."""
    two = probabilities.ndim == 1
    return np.stack([1 - probabilities, probabilities], 1) if two else probabilities
