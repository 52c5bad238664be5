"""JAX to ONNX through jax2onnx, for functions in Python: JAX has no file of its own that holds a whole model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from ..facts import shown
from ..messages import one_line
from . import ConversionOptions, Converted, require
from ._quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

__all__ = ["from_jax"]

_EXTRA = "jax"


def from_jax(
    fn: Callable[[Any], Any], example_shape: Sequence[int], *, samples: NDArray[Any] | None = None
) -> ModelProto:
    """Convert a classifier in Python; its own predictions are compared with onnxruntime's.

    Args:
        fn: takes one float32 array (N, ...), gives scores (N, K); parameters bound, in evaluation mode.
        example_shape: of its input, with the batch axis, such as (1, 28, 28, 1).
        samples: real inputs (N, ...), compared beside random ones.

    Returns:
        The ONNX message, all weights inside; its batch axis is free.

    Raises:
        MissingExtra: jax or jax2onnx is not installed.
        ModelError: jax2onnx cannot export it, or the result does not predict the same.
    """
    from ._driver import checked_message

    name = getattr(fn, "__name__", type(fn).__name__)
    if len(example_shape) < 2:
        raise ModelError(f"{name}: expected a shape with the batch axis, as (1, 28, 28, 1), got {tuple(example_shape)}")
    with quiet():
        converted = _converted(fn, tuple(example_shape), name)
    return checked_message(converted, name, ConversionOptions(samples=samples))


def _converted(fn: Callable[[Any], Any], shape: tuple[int, ...], name: str) -> Converted:
    require("jax", _EXTRA)
    jax2onnx = require("jax2onnx", _EXTRA)
    try:
        model = jax2onnx.to_onnx(fn, [("B", *shape[1:])], input_names=["input"], output_names=["scores"])
    except Exception as error:  # noqa: BLE001 - jax2onnx raises anything
        raise ModelError(f"{name}: jax2onnx cannot convert it, input {shown(shape)}: {one_line(error, 200)}") from None
    from importlib.metadata import version

    return Converted(model, lambda inputs: np.asarray(fn(inputs)), f"jax2onnx {version('jax2onnx')}", shape=shape[1:])
