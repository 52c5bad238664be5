"""Arithmetic, element by element, with numpy's broadcasting; before opset 7 with `axis` and `broadcast`."""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ...kernels.straight_through import straight_through
from . import Gradient, Number, operator
from .broadcasting import aligned

_LARGEST = 3.4028234663852886e38  # of float32: the default bounds of Clip before opset 11


@operator("Abs")
def absolute(x: Tensor) -> Tensor:
    """``|x|``."""
    return torch.abs(x)


@operator("Neg")
def negative(x: Tensor) -> Tensor:
    """``-x``."""
    return torch.neg(x)


@operator("Sqrt")
def square_root(x: Tensor) -> Tensor:
    """Square root; NaN below zero."""
    return torch.sqrt(x)


@operator("Reciprocal")
def reciprocal(x: Tensor) -> Tensor:
    """``1 / x``."""
    return torch.reciprocal(x)


@operator("Exp")
def exponential(x: Tensor) -> Tensor:
    """``e ** x``; where that overflows, the gradient is 0, as it is for a ``1 / (1 + exp(-x))`` written out."""
    overflows = torch.exp(x.detach()).isinf()  # the infinity would meet the zero that comes back and make it NaN
    return torch.exp(x.masked_fill(overflows, 0)).masked_fill(overflows, torch.inf)


@operator("Log")
def logarithm(x: Tensor) -> Tensor:
    """Natural logarithm; NaN below zero."""
    return torch.log(x)


@operator("Erf", since=9)
def error_function(x: Tensor) -> Tensor:
    """The error function."""
    return torch.erf(x)


@operator("Ceil", gradient=Gradient.STRAIGHT_THROUGH)
def ceil(x: Tensor) -> Tensor:
    """The next whole number upwards."""
    return straight_through(torch.ceil(x), x)


@operator("Floor", gradient=Gradient.STRAIGHT_THROUGH)
def floor(x: Tensor) -> Tensor:
    """The next whole number downwards."""
    return straight_through(torch.floor(x), x)


@operator("Round", since=11, gradient=Gradient.STRAIGHT_THROUGH)
def nearest(x: Tensor) -> Tensor:
    """The nearest whole number; halves go to the even one."""
    return straight_through(torch.round(x), x)


@operator("Sign", since=9)
def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1; NaN stays."""
    return torch.where(torch.isnan(x), x, torch.sign(x)) if x.is_floating_point() else torch.sign(x)


@operator("IsNaN", since=9, gradient=Gradient.NONE)
def is_nan(x: Tensor) -> Tensor:
    """Whether it is no number."""
    return torch.isnan(x if x.element_size() > 1 else x.float())


@operator("IsInf", since=10, gradient=Gradient.NONE)
def is_inf(x: Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    """Whether it is infinite, of a sign that is looked for."""
    x = x if x.element_size() > 1 else x.float()
    if detect_negative and detect_positive:
        return torch.isinf(x)
    if detect_negative or detect_positive:
        return torch.isposinf(x) if detect_positive else torch.isneginf(x)
    return torch.zeros_like(x, dtype=torch.bool)


@operator("Add")
def add(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a + b``."""
    return torch.add(a, aligned(a, b, axis))


@operator("Sub")
def subtract(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a - b``."""
    return torch.sub(a, aligned(a, b, axis))


@operator("Mul")
def multiply(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a * b``."""
    return torch.mul(a, aligned(a, b, axis))


@operator("Div")
def divide(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a / b``; whole numbers truncate towards zero."""
    b = aligned(a, b, axis)
    if a.is_floating_point() and b.is_floating_point():
        return torch.div(a, b)
    whole = torch.div(a, b, rounding_mode="trunc")
    # One of them alone in floating point: bytes that are carried as floats, so that a gradient can pass.
    return straight_through(whole, torch.div(a, b)) if whole.is_floating_point() else whole


@operator("Mod", since=10)
def modulo(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    """The rest of ``a / b`` with the sign of b, or of a if `fmod`."""
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


@operator("Pow")
def power(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a ** b``, of the type of a."""
    b = aligned(a, b, axis)
    if not a.is_floating_point() and (b.is_floating_point() or (b < 0).any()):
        return torch.pow(a.double(), b.double()).to(a.dtype)
    if b.numel() == 1 and b.dim() <= a.dim() and b.device.type == "cpu" and not b.requires_grad:
        return torch.pow(a, b.item())  # squares and roots are much faster than powers in general
    return torch.pow(a, b).to(a.dtype)


@operator("Max")
def maximum(*values: Tensor) -> Tensor:
    """The largest of all inputs; NaN if one is NaN."""
    return reduce(torch.maximum, values)


@operator("Min")
def minimum(*values: Tensor) -> Tensor:
    """The smallest of all inputs; NaN if one is NaN."""
    return reduce(torch.minimum, values)


@operator("Sum")
def total(*values: Tensor) -> Tensor:
    """The sum of all inputs."""
    return reduce(torch.add, values)


@operator("Mean")
def average(*values: Tensor) -> Tensor:
    """The mean of all inputs."""
    return torch.div(reduce(torch.add, values), len(values))


@operator("Clip", since=11)
def clip(x: Tensor, low: Number | None = None, high: Number | None = None) -> Tensor:
    """``min(max(x, low), high)``; a bound may be left out."""
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        lifted = [x.new_tensor(b) if isinstance(b, int | float) else b for b in (low, high)]
        x = x if lifted[0] is None else torch.maximum(x, lifted[0].to(x.dtype))
        return x if lifted[1] is None else torch.minimum(x, lifted[1].to(x.dtype))
    return x if low is None and high is None else _bounded(x, low, high)


@operator("Clip")
def clip_1(x: Tensor, *, min: float = -_LARGEST, max: float = _LARGEST) -> Tensor:
    """The same with the bounds as attributes, by default the largest numbers of float32."""
    limit = torch.finfo(x.dtype).max  # float16 does not hold the defaults
    return _bounded(x, min if min > -limit else -limit, max if max < limit else limit)


def _bounded(x: Tensor, low: float | None, high: float | None) -> Tensor:
    """Between constant bounds: the gradient passes at a bound, so that black and white pixels can still be moved.

    ReLU6 is an activation and gets torch's own gradient, zero at its bounds, which is computed several times faster.
    """
    return F.relu6(x) if (low, high) == (0, 6) and x.is_floating_point() else torch.clamp(x, low, high)
