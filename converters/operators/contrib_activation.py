"""onnxruntime's activations and element-wise fusions, and its own names for operators that ONNX took over later."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Number, operator
from .filling import trilu
from .indexing import gather_nd
from .sampling import grid_sample

_DOMAIN = "com.microsoft"


@operator("Gelu", domain=_DOMAIN)
def gelu(x: Tensor) -> Tensor:
    """``x * Phi(x)``, Phi the normal distribution."""
    return F.gelu(x)


@operator("BiasGelu", domain=_DOMAIN)
def bias_gelu(a: Tensor, b: Tensor) -> Tensor:
    """``gelu(a + b)``."""
    return F.gelu(a + b)


@operator("FastGelu", domain=_DOMAIN)
def fast_gelu(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """``gelu(x + bias)``, by its approximation with tanh."""
    return F.gelu(x if bias is None else x + bias, approximate="tanh")


@operator("QuickGelu", domain=_DOMAIN)
def quick_gelu(x: Tensor, *, alpha: float = 1.702) -> Tensor:
    """``x * sigmoid(alpha * x)``."""
    return F.silu(x) if alpha == 1 else x * torch.sigmoid(alpha * x)


@operator("BiasSplitGelu", domain=_DOMAIN)
def bias_split_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """``left * gelu(right)`` of the two halves of ``x + bias``."""
    left, right = (x + bias).chunk(2, -1)
    return left * F.gelu(right)


@operator("BiasAdd", domain=_DOMAIN)
def bias_add(x: Tensor, bias: Tensor, skip: Tensor) -> Tensor:
    """``x + bias + skip``."""
    return x + bias + skip


@operator("Inverse", domain=_DOMAIN)
def inverse(x: Tensor) -> Tensor:
    """The inverse of each matrix in the last two axes."""
    y: Tensor = torch.linalg.inv(x)
    return y


@operator("ExpandDims", domain=_DOMAIN)
def expand_dims(x: Tensor, axis: Number) -> Tensor:
    """A new axis of size 1."""
    return x.unsqueeze(int(axis))


@operator("Trilu", domain=_DOMAIN)
def microsoft_trilu(x: Tensor, k: Number | None = None, *, upper: int = 1) -> Tensor:
    """As ONNX's Trilu."""
    return trilu(x, k, upper=upper)


@operator("GatherND", domain=_DOMAIN)
def microsoft_gather_nd(x: Tensor, indices: Tensor) -> Tensor:
    """As ONNX's GatherND."""
    return gather_nd(x, indices)


@operator("GridSample", domain=_DOMAIN)
def microsoft_grid_sample(
    x: Tensor, grid: Tensor, *, align_corners: int = 0, mode: str = "bilinear", padding_mode: str = "zeros"
) -> Tensor:
    """As ONNX's GridSample."""
    return grid_sample(x, grid, align_corners=align_corners, mode=mode, padding_mode=padding_mode)
