"""Comparisons, logic, arithmetic on bits, and the choice between two tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from . import Gradient, operator
from .broadcasting import aligned
from .narrow_types import BITS, wrapped


@operator("Equal", gradient=Gradient.NONE)
def equal(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a == b``."""
    return torch.eq(a, aligned(a, b, axis))


@operator("Greater", gradient=Gradient.NONE)
def greater(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a > b``."""
    return torch.gt(a, aligned(a, b, axis))


@operator("Less", gradient=Gradient.NONE)
def less(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """``a < b``."""
    return torch.lt(a, aligned(a, b, axis))


@operator("GreaterOrEqual", since=12, gradient=Gradient.NONE)
def greater_or_equal(a: Tensor, b: Tensor) -> Tensor:
    """``a >= b``."""
    return torch.ge(a, b)


@operator("LessOrEqual", since=12, gradient=Gradient.NONE)
def less_or_equal(a: Tensor, b: Tensor) -> Tensor:
    """``a <= b``."""
    return torch.le(a, b)


@operator("And", gradient=Gradient.NONE)
def conjunction(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """Whether both are true."""
    return torch.logical_and(a, aligned(a, b, axis))


@operator("Or", gradient=Gradient.NONE)
def disjunction(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """Whether at least one is true."""
    return torch.logical_or(a, aligned(a, b, axis))


@operator("Xor", gradient=Gradient.NONE)
def exclusive(a: Tensor, b: Tensor, *, axis: int | None = None, broadcast: int = 0) -> Tensor:
    """Whether exactly one is true."""
    return torch.logical_xor(a, aligned(a, b, axis))


@operator("Not", gradient=Gradient.NONE)
def negation(x: Tensor) -> Tensor:
    """Whether it is false."""
    return torch.logical_not(x)


@operator("BitwiseAnd", since=18, gradient=Gradient.NONE)
def bitwise_and(a: Tensor, b: Tensor) -> Tensor:
    """The bits that both have."""
    return torch.bitwise_and(_whole(a), _whole(b))


@operator("BitwiseOr", since=18, gradient=Gradient.NONE)
def bitwise_or(a: Tensor, b: Tensor) -> Tensor:
    """The bits that at least one has."""
    return torch.bitwise_or(_whole(a), _whole(b))


@operator("BitwiseXor", since=18, gradient=Gradient.NONE)
def bitwise_xor(a: Tensor, b: Tensor) -> Tensor:
    """The bits that exactly one has."""
    return torch.bitwise_xor(_whole(a), _whole(b))


@operator("BitwiseNot", since=18, gradient=Gradient.NONE)
def bitwise_not(x: Tensor, *, _types: tuple[int, ...] = ()) -> Tensor:
    """All bits turned over."""
    if x.is_floating_point() and _types[0] not in BITS:
        raise NotImplementedError("BitwiseNot of bytes that are carried as floats, of a type that is not declared")
    return _within(torch.bitwise_not(_whole(x)), x, _types)


@operator("BitShift", since=11, gradient=Gradient.NONE)
def shift(x: Tensor, y: Tensor, *, direction: str, _types: tuple[int, ...] = ()) -> Tensor:
    """``x << y`` or ``x >> y``; what leaves the type is lost."""
    if direction not in ("LEFT", "RIGHT"):
        raise NotImplementedError(f"direction {direction!r}; ONNX has LEFT and RIGHT")
    move = torch.bitwise_left_shift if direction == "LEFT" else torch.bitwise_right_shift
    return _within(move(_whole(x), _whole(y)), x, _types)


@operator("Where", since=9)
def where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a where the condition holds, else b."""
    return torch.where(condition.bool(), a, b)


def _whole(x: Tensor) -> Tensor:
    """Bytes that are carried as floats back as whole numbers."""
    return x.long() if x.is_floating_point() else x


def _within(bits: Tensor, x: Tensor, types: tuple[int, ...]) -> Tensor:
    """Cut what x's own type does not hold, where torch holds it in a larger one."""
    width, signed = BITS.get(types[0] if types else 0, (0, False))
    return wrapped(bits, width, signed).to(x.dtype) if 0 < width < 8 * x.element_size() else bits
