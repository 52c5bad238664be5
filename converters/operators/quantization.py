"""QuantizeLinear and its like: the values of the real operators, the gradient of the rounding left out.

A quantised activation is held as floats with whole values, so that gradients pass (Bengio et al. 2013, straight-through
estimator); where a value is clipped its gradient is zero. Constants and inputs may be tensors of integers.
"""

from __future__ import annotations

from typing import Any

import torch
from onnx import TensorProto
from torch import Tensor

from ..dtypes import torch_dtype
from . import Gradient, operator

__all__ = ["along", "dequantize", "quantize", "rounded", "whole_range"]

_UINT2, _INT2 = 25, 26  # not every supported onnx knows them by name
_BITS = {
    _UINT2: 2, _INT2: 2, TensorProto.UINT4: 4, TensorProto.INT4: 4,
    TensorProto.UINT8: 8, TensorProto.INT8: 8, TensorProto.UINT16: 16, TensorProto.INT16: 16,
}  # fmt: skip
_UNSIGNED = (_UINT2, TensorProto.UINT4, TensorProto.UINT8, TensorProto.UINT16)
# torch.int32 stands for uint16, see dtypes.py: ONNX quantises to no 32 bits.
_KINDS = {
    torch.uint8: TensorProto.UINT8, torch.int8: TensorProto.INT8, torch.int16: TensorProto.INT16,
    torch.int32: TensorProto.UINT16, torch.float8_e4m3fn: TensorProto.FLOAT8E4M3FN,
    torch.float8_e4m3fnuz: TensorProto.FLOAT8E4M3FNUZ, torch.float8_e5m2: TensorProto.FLOAT8E5M2,
    torch.float8_e5m2fnuz: TensorProto.FLOAT8E5M2FNUZ,
}  # fmt: skip


@operator("QuantizeLinear", since=10, gradient=Gradient.STRAIGHT_THROUGH)
def quantize_linear(
    x: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    *,
    axis: int = 1,
    saturate: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    _types: tuple[int, ...] = (),
) -> Tensor:
    """``clip(round(x / scale) + zero)``, ties to even; small floats are rounded to their own steps."""
    kind = output_dtype or (_types[2] if len(_types) > 2 else 0) or _kind(y_zero_point)
    real, scale = _floating(x), along(_floating(y_scale), x, axis, block_size)
    if kind not in _BITS:
        return _small_float(real / scale, kind, bool(saturate))
    zero = None if y_zero_point is None else along(y_zero_point, x, axis, block_size)
    low, high = whole_range(kind)
    if scale.requires_grad:  # computed from the input
        shift = torch.zeros_like(scale) if zero is None else zero
        return rounded(torch.clamp(real / scale, low - shift, high - shift)) + shift
    if not real.requires_grad:
        return _steps(real, scale, zero, low, high)[1]
    whole: Tensor = _Steps.apply(real, scale, zero, low, high)  # type: ignore[no-untyped-call]
    return whole


@operator("QuantizeLinear", domain="com.microsoft", gradient=Gradient.STRAIGHT_THROUGH)
def microsoft_quantize_linear(
    x: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    *,
    axis: int = 1,
    saturate: int = 1,
    block_size: int = 0,
    _types: tuple[int, ...] = (),
) -> Tensor:
    """``clip(round(x / scale) + zero)``, as ONNX's own."""
    return quantize_linear(x, y_scale, y_zero_point, axis=axis, saturate=saturate, block_size=block_size, _types=_types)


@operator("DequantizeLinear", since=10)
@operator("DequantizeLinear", domain="com.microsoft")
def dequantize_linear(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Tensor:
    """``(x - zero) * scale``, in the scale's type."""
    value = dequantize(x, x_scale, x_zero_point, axis, block_size)
    return value.to(torch_dtype(output_dtype)) if output_dtype else value


@operator("DynamicQuantizeLinear", since=11, gradient=Gradient.STRAIGHT_THROUGH)
def dynamic_quantize_linear(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Quantise to 8 bits with the scale and zero point that the values' own range, zero included, asks for.

    Scale and zero point pass no gradient: with the rounding left out they cancel once the result is dequantised, and
    nothing is clipped.
    """
    low, high = x.detach().amin().clamp(max=0), x.detach().amax().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.round(torch.clamp(-low / scale, 0, 255))
    whole = torch.clamp(torch.round(x.detach() / scale) + zero, 0, 255)
    real = x / scale + zero
    return real + (whole - real).detach() if x.requires_grad else whole, scale, zero


def quantize(values: Tensor, scale: Tensor, zero: Tensor | None, axis: int = 1) -> Tensor:
    """Quantise values to the type of the zero point, 8 bits without sign if there is none."""
    return quantize_linear(values, scale, zero, axis=axis)


def dequantize(values: Tensor, scale: Tensor, zero: Tensor | None, axis: int = 1, block_size: int = 0) -> Tensor:
    """Return ``(values - zero) * scale`` in the scale's type, with one scale, or one for each entry or block."""
    real = values.to(scale.dtype)
    if zero is not None:
        real = real - along(zero, values, axis, block_size).to(scale.dtype)
    return real * along(scale, values, axis, block_size)


def along(parameter: Tensor, values: Tensor, axis: int, block_size: int = 0) -> Tensor:
    """Shape a parameter of one value, or of one for each entry or block of `axis`, so that it broadcasts."""
    if parameter.numel() == 1:
        return parameter.reshape(())
    if block_size:
        return parameter.repeat_interleave(block_size, axis).narrow(axis, 0, values.shape[axis])
    if parameter.ndim != 1:
        return parameter
    shape = [1] * values.ndim
    shape[axis] = -1
    return parameter.reshape(shape)


def whole_range(kind: int) -> tuple[int, int]:
    """The smallest and the largest value of an integer TensorProto.DataType."""
    bits = _BITS[kind]
    return (0, 2**bits - 1) if kind in _UNSIGNED else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def rounded(values: Tensor) -> Tensor:
    """Round, ties to even; the gradient passes as if there were no rounding."""
    return values + (torch.round(values) - values).detach() if values.requires_grad else torch.round(values)


def _steps(values: Tensor, scale: Tensor, zero: Tensor | None, low: int, high: int) -> tuple[Tensor, Tensor]:
    """``round(values / scale) + zero``, and the same clipped."""
    whole = (values / scale).round_()
    if zero is not None:
        whole += zero
    return whole, whole.clamp(low, high)


class _Steps(torch.autograd.Function):
    """Quantising in one step: autograd would keep a copy of the activation for each of six."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: Tensor, zero: Tensor | None, low: int, high: int) -> Tensor:
        whole, clipped = _steps(values, scale, zero, low, high)
        ctx.save_for_backward(whole == clipped, scale)
        return clipped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        inside, scale = ctx.saved_tensors
        return gradients[0] * inside / scale, None, None, None, None


def _kind(zero: Tensor | None) -> int:
    """The type to quantise to; a zero point that the graph computes is held as floats and taken for ONNX's default."""
    return TensorProto.UINT8 if zero is None else _KINDS.get(zero.dtype, TensorProto.UINT8)


def _floating(values: Tensor) -> Tensor:
    """Values as float32 or float64: half precision is too coarse to divide in."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def _small_float(steps: Tensor, kind: int, saturate: bool) -> Tensor:
    if kind == TensorProto.FLOAT4E2M1:
        steps = steps.clamp(-6, 6)
        grid = 0.5 * 2 ** ((steps.detach().abs() >= 2).to(steps.dtype) + (steps.detach().abs() >= 4).to(steps.dtype))
        return rounded(steps / grid) * grid
    dtype = torch_dtype(kind)
    if saturate:
        largest = torch.finfo(dtype).max
        steps = steps.clamp(-largest, largest)
    return steps + (steps.to(dtype).to(steps.dtype) - steps).detach()
