"""onnxruntime's products of quantised matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from . import Gradient, operator
from .quantization import along, dynamic_quantize_linear, quantize
from .quantized_linear import matmul_integer

_DOMAIN = "com.microsoft"


@operator("QGemm", domain=_DOMAIN, gradient=Gradient.STRAIGHT_THROUGH)
def qgemm(
    a: Tensor,
    a_scale: Tensor,
    a_zero: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero: Tensor,
    c: Tensor | None = None,
    y_scale: Tensor | None = None,
    y_zero: Tensor | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    """``alpha * a @ b + c``, quantised if there is a scale for it; c is in units of ``alpha * a_scale * b_scale``."""
    y = matmul_integer(a.t() if transA else a, b.t() if transB else b, a_zero, b_zero)
    y = (y if c is None else y + c.to(y.dtype)) * (alpha * a_scale.to(y.dtype) * b_scale.to(y.dtype))
    return y if y_scale is None else quantize(y, y_scale, y_zero)


@operator("MatMulIntegerToFloat", domain=_DOMAIN)
def matmul_integer_to_float(
    a: Tensor,
    b: Tensor,
    a_scale: Tensor,
    b_scale: Tensor,
    a_zero: Tensor | None = None,
    b_zero: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """``(a - a_zero) * a_scale @ (b - b_zero) * b_scale + bias``; those of `b` may be given by column."""
    product = matmul_integer(a, b, a_zero, b_zero)
    y = product * along(a_scale, product, max(a.ndim - 2, 0)) * b_scale
    return y if bias is None else y + bias


@operator("DynamicQuantizeMatMul", domain=_DOMAIN, gradient=Gradient.STRAIGHT_THROUGH)
def dynamic_quantize_matmul(
    a: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """``a @ (b - b_zero) * b_scale + bias``, with `a` rounded to 8 bits of its own range."""
    whole, scale, zero = dynamic_quantize_linear(a)
    return matmul_integer_to_float(whole, b, scale, b_scale, zero, b_zero, bias)


@operator("MatMulNBits", domain=_DOMAIN)
def matmul_n_bits(
    a: Tensor,
    b: Tensor,
    scales: Tensor,
    zero_points: Tensor | None = None,
    g_idx: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    K: int,  # noqa: N803
    N: int,  # noqa: N803
    accuracy_level: int = 0,
    bits: int = 4,
    block_size: int,
    weight_prepacked: int = 0,
) -> Tensor:
    """``a @ w.T + bias``: w (N, K) packed to few bits, with a scale and a zero point for each block of a row."""
    if weight_prepacked:
        raise NotImplementedError("weights in the order of one processor (weight_prepacked): save the model without")
    blocks = -(-K // block_size)
    whole = _unpacked(b.reshape(N, -1), bits)[:, : blocks * block_size]
    scale = scales.reshape(N, blocks).to(a.dtype)
    zero = _zero_points(zero_points, N, blocks, bits).to(a.dtype)
    block = g_idx.long() if g_idx is not None else torch.arange(blocks * block_size, device=a.device) // block_size
    w = ((whole[:, : len(block)].to(a.dtype) - zero[:, block]) * scale[:, block])[:, :K]
    y = torch.matmul(a, w.t())
    return y if bias is None else y + bias


def _zero_points(given: Tensor | None, rows: int, blocks: int, bits: int) -> Tensor:
    """One zero point for each block; packed like the weights if they are bytes, the middle of the range by default."""
    if given is None:
        return torch.full((1, 1), 2 ** (bits - 1)).expand(rows, blocks)
    if given.dtype != torch.uint8:
        return given.reshape(rows, blocks)
    return _unpacked(given.reshape(rows, -1), bits)[:, :blocks]


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    """The values of `bits` bits each in rows of bytes, lowest bits first."""
    if bits not in (2, 4, 8):
        raise NotImplementedError(f"weights of {bits} bits; those of 2, 4 and 8 are supported")
    shifts = torch.arange(0, 8, bits, device=packed.device, dtype=torch.int32)
    values: Tensor = ((packed.int().unsqueeze(-1) >> shifts) & (2**bits - 1)).flatten(1)
    return values
