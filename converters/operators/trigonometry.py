"""Trigonometric and hyperbolic functions and their inverses; NaN outside their domain."""

from __future__ import annotations

import torch
from torch import Tensor

from . import operator


@operator("Sin", since=7)
def sin(x: Tensor) -> Tensor:
    """Sine."""
    return torch.sin(x)


@operator("Cos", since=7)
def cos(x: Tensor) -> Tensor:
    """Cosine."""
    return torch.cos(x)


@operator("Tan", since=7)
def tan(x: Tensor) -> Tensor:
    """Tangent."""
    return torch.tan(x)


@operator("Asin", since=7)
def asin(x: Tensor) -> Tensor:
    """Inverse sine, for -1 to 1."""
    return torch.asin(x)


@operator("Acos", since=7)
def acos(x: Tensor) -> Tensor:
    """Inverse cosine, for -1 to 1."""
    return torch.acos(x)


@operator("Atan", since=7)
def atan(x: Tensor) -> Tensor:
    """Inverse tangent."""
    return torch.atan(x)


@operator("Sinh", since=9)
def sinh(x: Tensor) -> Tensor:
    """Hyperbolic sine."""
    return torch.sinh(x)


@operator("Cosh", since=9)
def cosh(x: Tensor) -> Tensor:
    """Hyperbolic cosine."""
    return torch.cosh(x)


@operator("Asinh", since=9)
def asinh(x: Tensor) -> Tensor:
    """Inverse hyperbolic sine."""
    return torch.asinh(x)


@operator("Acosh", since=9)
def acosh(x: Tensor) -> Tensor:
    """Inverse hyperbolic cosine, from 1 on."""
    return torch.acosh(x)


@operator("Atanh", since=9)
def atanh(x: Tensor) -> Tensor:
    """Inverse hyperbolic tangent, for -1 to 1."""
    return torch.atanh(x)
