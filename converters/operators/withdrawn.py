"""Operators that ONNX tried and withdrew before opset 7, which old converters wrote and onnxruntime still runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator


@operator("Affine")
def affine(x: Tensor, *, alpha: float = 1.0, beta: float = 0.0) -> Tensor:
    """``alpha * x + beta``."""
    return alpha * x + beta


@operator("Scale")
def scaled(x: Tensor, *, scale: float = 1.0) -> Tensor:
    """``scale * x``."""
    return scale * x


@operator("ImageScaler")
def image_scaler(x: Tensor, *, bias: Sequence[float], scale: float = 1.0) -> Tensor:
    """``scale * x`` plus a bias by channel, for images (N, C, H, W)."""
    return scale * x + torch.tensor(bias, dtype=x.dtype, device=x.device).reshape(-1, 1, 1)


@operator("ParametricSoftplus")
def parametric_softplus(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """``alpha * log(1 + exp(beta * x))``."""
    return alpha * F.softplus(beta * x)


@operator("ScaledTanh")
def scaled_tanh(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    """``alpha * tanh(beta * x)``."""
    return alpha * torch.tanh(beta * x)


@operator("Crop")
def crop(x: Tensor, *, border: Sequence[int], scale: Sequence[int] = ()) -> Tensor:
    """What is left of (N, C, H, W) without a border (left, top, right, bottom), or of a size (H, W) from its corner."""
    left, top, right, bottom = border
    height, width = scale or (x.shape[2] - top - bottom, x.shape[3] - left - right)
    return x[:, :, top : top + height, left : left + width]
