"""The weights that make the logits: one row of numbers for each class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from .normalize import normalize

__all__ = ["last_layer"]

_SAME_ORDER = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "QuantizeLinear", "DequantizeLinear", "Dropout")
_BY_CONSTANT = ("Add", "Sub", "Mul", "Div")  # a bias, a temperature


def last_layer(model: ModelProto, output: str) -> NDArray[np.float64] | None:
    """Return (K, F): what each of the F last features counts for each of the K logits behind an output.

    None where the logits are not made by one matrix product or 1 x 1 convolution with constant weights.
    """
    return _Walk(normalize(model, output).graph).rows()


class _Walk:
    """From the logits backwards to the first layer with weights."""

    def __init__(self, graph: GraphProto) -> None:
        self._output = graph.output[0].name
        self._makers = {name: node for node in graph.node for name in node.output}
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}

    def rows(self) -> NDArray[np.float64] | None:
        name = self._output
        while (node := self._makers.get(name)) is not None:
            if node.op_type in _BY_CONSTANT:
                data = [i for i in node.input if self._constant(i) is None]
                if len(data) != 1 or (node.op_type in ("Mul", "Div") and not self._scales(node)):
                    return None
                name = data[0]
            elif node.op_type in _SAME_ORDER:
                name = node.input[0]
            else:
                return self._weights(node)
        return None

    def _scales(self, node: NodeProto) -> bool:
        """Whether a product is with one positive number, so that rows keep their order."""
        factors = [value for value in map(self._constant, node.input) if value is not None]
        return (
            len(factors) == 1 and node.input[0] not in self._tensors and factors[0].size == 1 and factors[0].min() > 0
        )

    def _weights(self, node: NodeProto) -> NDArray[np.float64] | None:
        if node.op_type not in ("Gemm", "MatMul", "Conv") or len(node.input) < 2:
            return None
        values = self._constant(node.input[1])
        if values is None or values.ndim < 2:
            return None
        if node.op_type == "Conv":
            return values.reshape(len(values), -1) if _attribute(node, "group", 1) == 1 else None
        if values.ndim != 2:
            return None
        return values if node.op_type == "Gemm" and _attribute(node, "transB", 0) else values.T

    def _constant(self, name: str) -> NDArray[np.float64] | None:
        if name in self._tensors:
            return numpy_helper.to_array(self._tensors[name]).astype(np.float64)
        node = self._makers.get(name)
        inputs = [self._constant(i) for i in node.input if i] if node else [None]
        if node is None or any(value is None for value in inputs):
            return None
        values = [value for value in inputs if value is not None]
        if node.op_type in ("Identity", "Cast"):
            return values[0]
        if node.op_type == "Transpose":
            return values[0].transpose(_attribute(node, "perm", None))
        return _dequantised(values, _attribute(node, "axis", 1)) if node.op_type == "DequantizeLinear" else None


def _dequantised(values: list[NDArray[np.float64]], axis: int) -> NDArray[np.float64] | None:
    """(x - zero point) * scale, of the whole tensor or along an axis; None for blocks."""
    x, scale, zero = values[0], values[1], values[2] if len(values) > 2 else np.zeros_like(values[1])
    if scale.ndim > 1:
        return None
    shape = [1] * x.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    answer: NDArray[np.float64] = (x - zero.reshape(shape)) * scale.reshape(shape)
    return answer


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)
