"""TensorFlow to ONNX through tf2onnx, shared by all of its formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, NotAClassifier
from ..facts import shown
from ..messages import one_line
from . import Converted, require

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

__all__ = ["converted_function", "converted_keras", "exporter"]

_OPSET = 17


def exporter(extra: str) -> str:
    """Return tf2onnx's name and version."""
    return f"tf2onnx {require('tf2onnx', extra).__version__}"


def converted_keras(model: Any, file: str) -> Converted:
    """Convert a Keras model with one input and one output.

    Raises:
        MissingExtra: tf2onnx is not installed.
        NotAClassifier: it has several inputs or outputs, or none that are known before it is called.
        ModelError: tf2onnx cannot convert it.
    """
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise NotAClassifier(f"{file}: expected one input and one output, got {len(inputs)} and {len(outputs)}")
    shape, dtype = tuple(inputs[0].shape), str(inputs[0].dtype)
    return converted_function(lambda x: model(x, training=False), shape, dtype, file, "keras")


def converted_function(
    function: Callable[[Any], Any], shape: tuple[int | None, ...], dtype: str, file: str, extra: str
) -> Converted:
    """Convert a function of TensorFlow on one tensor (N, ...).

    Args:
        function: gives the scores.
        shape: of its input, with the batch axis; None for free ones.
        dtype: of its input, such as "float32".
        file: for messages.
        extra: the extra that installs tf2onnx.

    Raises:
        MissingExtra: tf2onnx or TensorFlow is not installed.
        ModelError: tf2onnx cannot convert it.
    """
    writer, tf = exporter(extra), require("tensorflow", extra)
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec(shape, dtype, "input")
    traced = tf.function(lambda input: function(input), autograph=False)
    try:
        concrete = traced.get_concrete_function(spec)
        frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)  # else captures become inputs
        alone = tf.function(lambda input: frozen(input)[0], autograph=False)
        converted = tf2onnx.convert.from_function(alone, [spec], opset=_OPSET, custom_op_handlers={"Erfc": (_erfc, [])})
        model: ModelProto = converted[0]
    except Exception as error:  # noqa: BLE001 - tf2onnx raises anything
        raise ModelError(f"{file}: tf2onnx cannot convert it, input {shown(shape)}: {one_line(error, 200)}") from None

    def predict(inputs: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(traced(tf.constant(inputs, dtype)))

    return Converted(model, predict, writer)


def _erfc(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """One minus erf, which ONNX has: tf2onnx knows no erfc, and Keras writes GELU with it."""
    from tf2onnx.utils import map_onnx_to_numpy_type

    (source,), outputs = node.input, list(node.output)
    shape, dtype = graph.get_shape(outputs[0]), graph.get_dtype(outputs[0])
    graph.remove_node(node.name)
    erf = graph.make_node("Erf", [source], name=f"{name}_erf", shapes=[shape], dtypes=[dtype])
    one = graph.make_const(f"{name}_one", np.array(1, map_onnx_to_numpy_type(dtype)))
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=outputs, name=name, shapes=[shape], dtypes=[dtype])
