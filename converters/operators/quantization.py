"""QuantizeLinear and DequantizeLinear on activations, as fake quantisation with a straight-through gradient.

A quantised tensor is held as floats with whole values, so that gradients pass: the values are those of the real
operators, the gradient is that of the rounding left out (Bengio et al. 2013, straight-through estimator), and zero
where the value is clipped.
"""

from __future__ import annotations

import numpy as np
import torch
from onnx2torch.onnx_graph import OnnxGraph
from onnx2torch.onnx_node import OnnxNode
from onnx2torch.utils.common import OnnxMapping, OperationConverterResult
from torch import Tensor, nn

from . import operator

__all__ = ["Dequantize", "Quantize"]

_OPSETS = (10, 13, 19, 21, 23, 24, 25)


class Quantize(nn.Module):
    """``clip(round(x / scale) + zero)``, ties to even."""

    scale: Tensor
    zero: Tensor

    def __init__(self, scale: Tensor, zero: Tensor, low: int, high: int, axis: int) -> None:
        """Take a scale and a zero point of one value, or of one for each entry of `axis`; low and high are dtype's."""
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("zero", zero)
        self.low, self.high, self.axis = low, high, axis

    def forward(self, values: Tensor) -> Tensor:
        """Return whole values in [low, high], as floats."""
        scale, zero = _along(self.scale, values, self.axis), _along(self.zero, values, self.axis)
        steps = torch.clamp(values / scale, self.low - zero, self.high - zero)
        return steps + (torch.round(steps) - steps).detach() + zero


class Dequantize(nn.Module):
    """``(x - zero) * scale``."""

    scale: Tensor
    zero: Tensor

    def __init__(self, scale: Tensor, zero: Tensor, axis: int) -> None:
        """Take a scale and a zero point of one value, or of one for each entry of `axis`."""
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("zero", zero)
        self.axis = axis

    def forward(self, values: Tensor) -> Tensor:
        """Return the values that the quantised ones stand for."""
        scale, zero = _along(self.scale, values, self.axis), _along(self.zero, values, self.axis)
        return (values.to(scale.dtype) - zero) * scale


def _along(parameter: Tensor, values: Tensor, axis: int) -> Tensor:
    """Shape a parameter of one value per entry of `axis` so that it broadcasts against the values."""
    if parameter.numel() == 1:
        return parameter.reshape(())
    shape = [1] * values.ndim
    shape[axis] = -1
    return parameter.reshape(shape)


@operator("QuantizeLinear", *_OPSETS)
def _quantize(node: OnnxNode, graph: OnnxGraph) -> OperationConverterResult:
    scale, zero, limits = _parameters(node, graph)
    module = Quantize(scale, zero, limits.min, limits.max, node.attributes.get("axis", 1))
    return OperationConverterResult(module, OnnxMapping(inputs=node.input_values[:1], outputs=node.output_values))


@operator("DequantizeLinear", *_OPSETS)
def _dequantize(node: OnnxNode, graph: OnnxGraph) -> OperationConverterResult:
    scale, zero, _ = _parameters(node, graph)
    module = Dequantize(scale, zero, node.attributes.get("axis", 1))
    return OperationConverterResult(module, OnnxMapping(inputs=node.input_values[:1], outputs=node.output_values))


def _parameters(node: OnnxNode, graph: OnnxGraph) -> tuple[Tensor, Tensor, np.iinfo[np.integer]]:
    """Scale and zero point as float32, and the range of the zero point's dtype."""
    names = [name for name in node.input_values[1:] if name]
    if any(name not in graph.initializers for name in names):
        raise NotImplementedError(f"{node.operation_type} with a computed scale or zero point")
    unusual = [name for name in ("block_size", "output_dtype", "precision") if node.attributes.get(name)]
    if unusual:
        raise NotImplementedError(f"{node.operation_type} with {', '.join(unusual)}")
    arrays = [graph.initializers[name].to_numpy() for name in names]
    zero = arrays[1] if len(arrays) > 1 else np.zeros((), np.uint8)
    if zero.dtype.kind not in "iu":
        raise NotImplementedError(f"{node.operation_type} to {zero.dtype.name}")
    scale = torch.from_numpy(arrays[0].astype(np.float32))
    return scale, torch.from_numpy(zero.astype(np.float32)), np.iinfo(zero.dtype)
