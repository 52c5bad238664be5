"""Products of matrices."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from . import operator

__all__ = ["det", "einsum", "gemm", "matmul"]


@operator("Gemm")
def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    broadcast: int = 0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    """``alpha * A @ B + beta * C``; C is broadcast, which opset 1 and 6 allow with `broadcast` only."""
    a, b = a.t() if transA else a, b.t() if transB else b
    if a.is_floating_point() and a.dtype == b.dtype and c is not None:
        return torch.addmm(c, a, b, beta=beta, alpha=alpha)
    y = _scaled(matmul(a, b), alpha)
    return y if c is None else y + _scaled(c, beta)


@operator("MatMul")
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """``A @ B`` by numpy's rules: batches are broadcast, vectors become rows and columns."""
    if a.dtype != b.dtype:  # whole numbers may arrive as floats, which carry the gradient
        kind = torch.promote_types(a.dtype, b.dtype)
        a, b = a.to(kind), b.to(kind)
    if (
        b.dim() == 2 and a.dim() > 2 and a.numel() and not a.is_contiguous()
    ):  # torch would multiply batch by batch, twice as long
        return matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
    if a.is_floating_point() or a.device.type == "cpu":
        return torch.matmul(a, b)
    return torch.matmul(a.double(), b.double()).to(a.dtype)  # other devices multiply no integers


@operator("Einsum")
def einsum(*operands: Tensor, equation: str) -> Tensor:
    """Sum of products over the indices that the equation drops, such as "bij,bjk->bik"."""
    kinds = {operand.dtype for operand in operands}
    if len(kinds) > 1:
        kind = reduce(torch.promote_types, kinds)
        operands = tuple(operand.to(kind) for operand in operands)
    y: Tensor = torch.einsum(equation, *operands)
    return y


@operator("Det")
def det(x: Tensor) -> Tensor:
    """Determinant of each matrix in the last two axes."""
    y: Tensor = torch.linalg.det(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x)
    return y.to(x.dtype)


def _scaled(x: Tensor, factor: float) -> Tensor:
    """``factor * x`` in the type of x."""
    return x if factor == 1 else (x * factor).to(x.dtype)
