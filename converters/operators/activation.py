"""Activations, element by element."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator

_SELU = (1.6732632423543772, 1.0507009873554805)  # alpha and gamma of torch.selu; ONNX keeps them in float32


@operator("Relu")
def relu(x: Tensor) -> Tensor:
    """``max(x, 0)``."""
    return torch.relu(x)


@operator("LeakyRelu")
def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    """x, or ``alpha * x`` below zero."""
    return F.leaky_relu(x, alpha)


@operator("PRelu", since=7)
def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """x, or ``slope * x`` below zero; the slope broadcasts to x."""
    channel = slope.dim() - x.dim() + 1  # the slope's axis that meets x's axis 1
    channels = x.dim() > 1 and channel in (0, 1) and slope.shape[channel] == x.shape[1] == slope.numel()
    if x.is_floating_point() and (channels or slope.numel() == 1):
        return F.prelu(x, slope.reshape(-1).to(x.dtype))
    return torch.where(x < 0, x * slope, x)


@operator("PRelu")
def prelu_1(x: Tensor, slope: Tensor) -> Tensor:
    """The same with one slope for each channel, or one for all."""
    return F.prelu(x, slope.reshape(-1))


@operator("Elu")
def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """x, or ``alpha * (exp(x) - 1)`` below zero."""
    return F.elu(x, alpha)


@operator("Selu", since=6)
def selu(x: Tensor, *, alpha: float = 1.6732631921768188, gamma: float = 1.0507010221481323) -> Tensor:
    """``gamma * x``, or ``gamma * alpha * (exp(x) - 1)`` below zero."""
    if abs(alpha - _SELU[0]) < 1e-6 and abs(gamma - _SELU[1]) < 1e-6:
        return torch.selu(x)
    return gamma * F.elu(x, alpha)


@operator("Selu")
def selu_1(x: Tensor, *, alpha: float = 1.6732, gamma: float = 1.0507) -> Tensor:
    """The same with constants of fewer digits."""
    return gamma * F.elu(x, alpha)


@operator("Celu", since=12)
def celu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """``max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))``."""
    return F.celu(x, alpha)


@operator("Sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return torch.sigmoid(x)


@operator("HardSigmoid")
def hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    """``alpha * x + beta``, held within 0 and 1."""
    if beta == 0.5 and abs(alpha - 1 / 6) < 1e-7:
        return F.hardsigmoid(x)
    return F.hardtanh(alpha * x + beta, 0.0, 1.0)


@operator("HardSwish", since=14)
def hard_swish(x: Tensor) -> Tensor:
    """``x * max(0, min(1, x / 6 + 1 / 2))``."""
    return F.hardswish(x)


@operator("Softplus")
def softplus(x: Tensor) -> Tensor:
    """``log(1 + exp(x))``."""
    return F.softplus(x)


@operator("Softsign")
def softsign(x: Tensor) -> Tensor:
    """``x / (1 + |x|)``."""
    return F.softsign(x)


@operator("Tanh")
def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return torch.tanh(x)


@operator("Gelu", since=20)
def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """x times the normal distribution's cumulative probability at x, or its approximation by tanh."""
    if approximate not in ("none", "tanh"):
        raise NotImplementedError(f"approximate {approximate!r}; ONNX has none and tanh")
    return F.gelu(x, approximate=approximate)


@operator("Mish", since=18)
def mish(x: Tensor) -> Tensor:
    """``x * tanh(softplus(x))``."""
    return F.mish(x)


@operator("Swish", since=24)
def swish(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """``x * sigmoid(alpha * x)``."""
    return F.silu(x) if alpha == 1 else x * torch.sigmoid(alpha * x)


@operator("SwiGLU", since=28)
def swiglu(a: Tensor, b: Tensor, *, alpha: float = 1.0) -> Tensor:
    """``swish(a) * b``."""
    return swish(a, alpha=alpha) * b


@operator("Shrink", since=9)
def shrink(x: Tensor, *, bias: float = 0.0, lambd: float = 0.5) -> Tensor:
    """``x + bias`` below -lambd, ``x - bias`` above lambd, 0 between."""
    between = torch.where(x > lambd, x - bias, torch.zeros_like(x))
    return torch.where(x < -lambd, x + bias, between).to(x.dtype)


@operator("ThresholdedRelu")
def thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """x above alpha, else 0."""
    return torch.where(x > alpha, x, 0.0)  # not F.threshold, which lets NaN pass
