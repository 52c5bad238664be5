"""onnxruntime's operators that stand for two or three of ONNX's: Conv, Gemm and MatMul with what follows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator
from .convolution import conv
from .linear import gemm, matmul

__all__ = ["activated"]

_DOMAIN = "com.microsoft"
_ACTIVATIONS: dict[str, tuple[Callable[..., Tensor], tuple[float, ...]]] = {
    # the function and its parameters' defaults, those of ONNX
    "": (lambda x: x, ()),
    "Clip": (lambda x, low, high: torch.clamp(x, low, high), (float("-inf"), float("inf"))),
    "Elu": (F.elu, (1.0,)),
    "HardSigmoid": (lambda x, alpha, beta: torch.clamp(alpha * x + beta, 0, 1), (0.2, 0.5)),
    "HardSwish": (lambda x, alpha, beta: x * torch.clamp(alpha * x + beta, 0, 1), (1 / 6, 0.5)),
    "LeakyRelu": (F.leaky_relu, (0.01,)),
    "QuickGelu": (lambda x, alpha: x * torch.sigmoid(alpha * x), (1.702,)),
    "Relu": (torch.relu, ()),
    "Sigmoid": (torch.sigmoid, ()),
    "Softplus": (F.softplus, ()),
    "Softsign": (F.softsign, ()),
    "Tanh": (torch.tanh, ()),
    "ThresholdedRelu": (lambda x, alpha: torch.where(x > alpha, x, 0), (1.0,)),
}


def activated(x: Tensor, activation: str, parameters: Sequence[float]) -> Tensor:
    """Apply the activation that a fused operator names; parameters that are not given are ONNX's defaults.

    Raises:
        NotImplementedError: an activation that no fused operator is known to have.
    """
    if activation not in _ACTIVATIONS:
        raise NotImplementedError(f"the fused activation {activation}")
    function, defaults = _ACTIVATIONS[activation]
    return function(x, *parameters[: len(defaults)], *defaults[len(parameters) :])


@operator("FusedConv", domain=_DOMAIN)
def fused_conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    z: Tensor | None = None,
    *,
    activation: str = "",
    activation_params: Sequence[float] = (),
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``activation(conv(x, w, b) + z)``."""
    y = conv(x, w, b, auto_pad=auto_pad, dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads,
             strides=strides)  # fmt: skip
    return activated(y if z is None else y + z, activation, activation_params)


@operator("FusedGemm", domain=_DOMAIN)
def fused_gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    activation: str = "",
    activation_alpha: float | None = None,
    activation_beta: float | None = None,
    activation_gamma: float | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    """``activation(alpha * A @ B + beta * C)``."""
    parameters = [p for p in (activation_alpha, activation_beta, activation_gamma) if p is not None]
    return activated(gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB), activation, parameters)


@operator("FusedMatMul", domain=_DOMAIN)
@operator("TransposeMatMul", domain=_DOMAIN)
def fused_matmul(
    a: Tensor,
    b: Tensor,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
    transBatchA: int = 0,  # noqa: N803
    transBatchB: int = 0,  # noqa: N803
) -> Tensor:
    """``alpha * A @ B`` with matrices transposed; `transBatchA` takes A's rows from its first axis."""
    a, b = _turned(a, transA, transBatchA), _turned(b, transB, transBatchB)
    y = matmul(a, b)
    return y if alpha == 1 else alpha * y


@operator("FusedMatMulActivation", domain=_DOMAIN)
def fused_matmul_activation(
    a: Tensor,
    b: Tensor,
    *,
    activation: str,
    activation_alpha: float | None = None,
    activation_axis: int = -1,
    activation_beta: float | None = None,
    activation_gamma: float | None = None,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
    transBatchA: int = 0,  # noqa: N803
    transBatchB: int = 0,  # noqa: N803
) -> Tensor:
    """``activation(alpha * A @ B)``."""
    y = fused_matmul(a, b, alpha=alpha, transA=transA, transB=transB, transBatchA=transBatchA, transBatchB=transBatchB)
    if activation == "Softmax":
        return torch.softmax(y, activation_axis)
    return activated(y, activation, [p for p in (activation_alpha, activation_beta, activation_gamma) if p is not None])


def _turned(x: Tensor, matrix: int, batch: int) -> Tensor:
    x = x.movedim(0, -2) if batch else x
    return x.mT if matrix and x.ndim > 1 else x
