"""Convolutions and products of quantised tensors: the integer operators' values, computed in floats.

The products and sums of 8-bit values are whole numbers, which float32 holds exactly up to 2**24 and beyond that to
seven digits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import Gradient, operator
from .convolution import conv
from .quantization import along, quantize

__all__ = ["conv_integer", "matmul_integer", "qlinear_conv", "qlinear_matmul", "shifted"]


@operator("QLinearConv", since=10, gradient=Gradient.STRAIGHT_THROUGH)
def qlinear_conv(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor,
    w: Tensor,
    w_scale: Tensor,
    w_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
    b: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """Conv of the dequantised tensors, quantised; the bias is in units of ``x_scale * w_scale``."""
    kernel = shifted(w, w_zero_point, 0)
    y = conv(shifted(x, x_zero_point, 1), kernel, _float(b), auto_pad=auto_pad, dilations=dilations, group=group,
             kernel_shape=kernel_shape, pads=pads, strides=strides)  # fmt: skip
    return quantize(y * along(x_scale * w_scale, y, 1), y_scale, y_zero_point)


@operator("QLinearConv", domain="com.microsoft", gradient=Gradient.STRAIGHT_THROUGH)
def microsoft_qlinear_conv(
    x: Tensor,
    x_scale: Tensor,
    x_zero_point: Tensor,
    w: Tensor,
    w_scale: Tensor,
    w_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
    b: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    channels_last: int = 0,
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """QLinearConv over (N, C, ...), or over (N, ..., C) with `channels_last`; the kernel is as in Conv."""
    y = qlinear_conv(
        x.movedim(-1, 1) if channels_last else x,
        x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, b,
        auto_pad=auto_pad, dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads, strides=strides,
    )  # fmt: skip
    return y.movedim(1, -1) if channels_last else y


@operator("ConvInteger", since=10)
def conv_integer(
    x: Tensor,
    w: Tensor,
    x_zero_point: Tensor | None = None,
    w_zero_point: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """Conv of ``x - x_zero`` with ``w - w_zero``, whole numbers held as floats."""
    return conv(shifted(x, x_zero_point, 1), shifted(w, w_zero_point, 0), auto_pad=auto_pad, dilations=dilations,
                group=group, kernel_shape=kernel_shape, pads=pads, strides=strides)  # fmt: skip


@operator("QLinearMatMul", since=10, gradient=Gradient.STRAIGHT_THROUGH)
def qlinear_matmul(
    a: Tensor,
    a_scale: Tensor,
    a_zero_point: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
) -> Tensor:
    """Product of the dequantised matrices, quantised; scales may be given by row of `a` and by column of `b`."""
    product = matmul_integer(a, b, a_zero_point, b_zero_point)
    row = max(a.ndim - 2, 0)
    return quantize(product * along(a_scale.float(), product, row) * b_scale.float(), y_scale, y_zero_point, row)


@operator("MatMulInteger", since=10)
def matmul_integer(
    a: Tensor,
    b: Tensor,
    a_zero_point: Tensor | None = None,
    b_zero_point: Tensor | None = None,
) -> Tensor:
    """``(a - a_zero) @ (b - b_zero)``, whole numbers held as floats; zeros may be by row of `a` and column of `b`."""
    return torch.matmul(shifted(a, a_zero_point, max(a.ndim - 2, 0)), shifted(b, b_zero_point, b.ndim - 1))


def shifted(values: Tensor, zero: Tensor | None, axis: int) -> Tensor:
    """Return ``values - zero`` in floats, for one zero point or one for each entry of `axis`."""
    whole = values if values.dtype == torch.float64 else values.float()
    return whole if zero is None else whole - along(zero, values, axis).to(whole.dtype)


def _float(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.float()
