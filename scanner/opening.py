"""Open the model and start it in onnxruntime, which has to judge it: what it cannot load cannot be scanned at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..converters import open_model
from .errors import ModelError

if TYPE_CHECKING:
    from ..converters import Model

__all__ = ["open_running"]


def open_running(path: Path, scores: str | None) -> Model:
    """The model, loaded by onnxruntime.

    Args:
        scores: the output that holds the scores, where the file has several.

    Raises:
        ModelError: it cannot be opened, or onnxruntime cannot load it; the message says what to do.
    """
    model = open_model(path, scores=scores)
    try:
        _ = model.provider  # starts onnxruntime
    except ModelError as error:
        raise ModelError(
            f"{path}: onnxruntime, which has to judge the file, does not take it. Where that is for an operator or an "
            "opset, export it with ONNX's own operators (custom ones are never loaded) and an opset that it knows. "
            + str(error).removeprefix(f"{path}: ")
        ) from None
    return model
