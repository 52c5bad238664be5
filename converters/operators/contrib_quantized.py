"""onnxruntime's quantised operators, element by element and pooling: dequantise, compute, quantise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Gradient, operator
from .pooling import average_pool, max_pool
from .quantization import dequantize, quantize

_DOMAIN = "com.microsoft"
_ROUNDS = Gradient.STRAIGHT_THROUGH


@operator("QLinearAdd", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_add(
    a: Tensor, a_scale: Tensor, a_zero: Tensor | None, b: Tensor, b_scale: Tensor, b_zero: Tensor | None,
    c_scale: Tensor, c_zero: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``a + b``."""
    return quantize(dequantize(a, a_scale, a_zero) + dequantize(b, b_scale, b_zero), c_scale, c_zero)


@operator("QLinearMul", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_mul(
    a: Tensor, a_scale: Tensor, a_zero: Tensor | None, b: Tensor, b_scale: Tensor, b_zero: Tensor | None,
    c_scale: Tensor, c_zero: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``a * b``."""
    return quantize(dequantize(a, a_scale, a_zero) * dequantize(b, b_scale, b_zero), c_scale, c_zero)


@operator("QLinearWhere", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_where(
    condition: Tensor, x: Tensor, x_scale: Tensor, x_zero: Tensor | None, y: Tensor, y_scale: Tensor,
    y_zero: Tensor | None, z_scale: Tensor, z_zero: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``x`` where the condition holds, else ``y``."""
    chosen = torch.where(condition.bool(), dequantize(x, x_scale, x_zero), dequantize(y, y_scale, y_zero))
    return quantize(chosen, z_scale, z_zero)


@operator("QLinearLeakyRelu", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_leaky_relu(
    x: Tensor, x_scale: Tensor, x_zero: Tensor | None, y_scale: Tensor, y_zero: Tensor | None = None,
    *, alpha: float = 0.01,
) -> Tensor:  # fmt: skip
    """``x``, or ``alpha * x`` where it is negative."""
    return quantize(F.leaky_relu(dequantize(x, x_scale, x_zero), alpha), y_scale, y_zero)


@operator("QLinearSigmoid", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_sigmoid(
    x: Tensor, x_scale: Tensor, x_zero: Tensor | None, y_scale: Tensor, y_zero: Tensor | None = None
) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return quantize(torch.sigmoid(dequantize(x, x_scale, x_zero)), y_scale, y_zero)


@operator("QLinearSoftmax", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_softmax(
    x: Tensor, x_scale: Tensor, x_zero: Tensor | None, y_scale: Tensor, y_zero: Tensor | None = None,
    *, axis: int = -1, opset: int,
) -> Tensor:  # fmt: skip
    """Softmax over one axis, or before opset 13 over that axis and all behind it."""
    real = dequantize(x, x_scale, x_zero)
    y = torch.softmax(real, axis) if opset >= 13 else torch.softmax(real.flatten(axis), -1).reshape(real.shape)
    return quantize(y, y_scale, y_zero)


@operator("QLinearConcat", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_concat(y_scale: Tensor, y_zero: Tensor | None, *values: Tensor | None, axis: int) -> Tensor:
    """The inputs one behind the other; `values` are each a tensor, its scale and its zero point."""
    parts = [
        dequantize(x, scale, zero)
        for x, scale, zero in zip(values[::3], values[1::3], values[2::3], strict=True)
        if x is not None and scale is not None
    ]
    return quantize(torch.cat(parts, axis), y_scale, y_zero)


@operator("QLinearGlobalAveragePool", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_global_average_pool(
    x: Tensor, x_scale: Tensor, x_zero: Tensor | None, y_scale: Tensor, y_zero: Tensor | None = None,
    *, channels_last: int = 0,
) -> Tensor:  # fmt: skip
    """The mean over all spatial axes, which stay with size 1."""
    axes = tuple(range(1, x.ndim - 1) if channels_last else range(2, x.ndim))
    return quantize(dequantize(x, x_scale, x_zero).mean(axes, True), y_scale, y_zero)


@operator("QLinearAveragePool", domain=_DOMAIN, gradient=_ROUNDS)
def qlinear_average_pool(
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor | None,
    y_scale: Tensor,
    y_zero: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """The mean over each window."""
    real = dequantize(x, x_scale, x_zero)
    y = average_pool(
        real.movedim(-1, 1) if channels_last else real, auto_pad=auto_pad, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad, kernel_shape=kernel_shape, pads=pads, strides=strides,
    )  # fmt: skip
    return quantize(y.movedim(1, -1) if channels_last else y, y_scale, y_zero)


@operator("NhwcMaxPool", domain=_DOMAIN)
def nhwc_max_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] = (),
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``max(x)`` over each window of (N, ..., C)."""
    y = max_pool(x.movedim(-1, 1), auto_pad=auto_pad, ceil_mode=ceil_mode, dilations=dilations,
                 kernel_shape=kernel_shape, pads=pads, strides=strides)[0]  # fmt: skip
    return y.movedim(1, -1)
