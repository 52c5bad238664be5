"""Element types: casts, the reading of bits as another type, constants and copies.

What is cast from floating point to bytes stays in floating point, as whole numbers within the type's range, so that a
gradient passes; a cast to wider whole numbers, which are indices and sizes as a rule, gives whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from onnx import TensorProto
from torch import Tensor

from ...kernels.straight_through import straight_through
from ..dtypes import torch_dtype
from . import Gradient, operator
from .narrow_types import BITS, narrowed, wrapped

_KINDS = {
    torch_dtype(kind): kind
    for kind in (
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.BOOL,
        TensorProto.UINT8, TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
        TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E4M3FNUZ, TensorProto.FLOAT8E5M2, TensorProto.FLOAT8E5M2FNUZ,
    )
}  # fmt: skip
_STORED: dict[int, torch.dtype] = {TensorProto.UINT16: torch.uint16, TensorProto.UINT32: torch.uint32}
_NARROWER = {(torch.int32, 2): torch.uint16, (torch.int64, 4): torch.uint32}


@operator("Cast", since=6, gradient=Gradient.STRAIGHT_THROUGH)
def cast(x: Tensor, *, to: int, saturate: int = 1, round_mode: str = "up") -> Tensor:
    """The values in another type; to whole numbers towards zero, and what is out of range loses its upper bits."""
    kind = torch_dtype(to)
    if to not in BITS:
        small = narrowed(x, to, bool(saturate), round_mode)
        return x.to(kind) if small is None else small
    bits, signed = BITS[to]
    if kind.itemsize > 1 or not x.is_floating_point():
        return x.to(kind) if kind.itemsize * 8 == bits else wrapped(x, bits, signed).to(kind)
    whole = x.to(torch.int32).to(kind) if bits == 8 else wrapped(x, bits, signed)
    return straight_through(whole.to(x.dtype), x)


@operator("Cast", gradient=Gradient.STRAIGHT_THROUGH)
def cast_1(x: Tensor, *, to: str) -> Tensor:
    """The same with the type's name."""
    if to not in TensorProto.DataType.keys():  # noqa: SIM118  (no dict)
        raise NotImplementedError(f"a cast to {to!r}")
    return cast(x, to=TensorProto.DataType.Value(to))


@operator("CastLike", since=15, gradient=Gradient.STRAIGHT_THROUGH)
def cast_like(
    x: Tensor, target: Tensor, *, saturate: int = 1, round_mode: str = "up", _types: tuple[int, ...] = ()
) -> Tensor:
    """The values in the type of another tensor."""
    to = (_types[1] if len(_types) > 1 else 0) or _KINDS.get(target.dtype, 0)
    return cast(x, to=to, saturate=saturate, round_mode=round_mode)


@operator("BitCast", since=26, gradient=Gradient.NONE)
def bit_cast(x: Tensor, *, to: int) -> Tensor:
    """The bits, read as another type of the same width."""
    kind = torch_dtype(to)
    stored = _STORED.get(to, kind)
    if to in BITS and BITS[to][0] < 8:
        raise NotImplementedError("a BitCast to fewer than 8 bits")
    if x.is_floating_point() and x.element_size() > stored.itemsize == 1:  # bytes that are carried as floats
        x = x.to(torch.int32).to(torch.uint8)
    # Both types have one width, which tells whether whole numbers are held in a larger type than their own.
    x = x.to(_NARROWER.get((x.dtype, stored.itemsize), x.dtype))
    return x.view(stored).to(kind)


@operator("Identity")
def identity(x: Any) -> Any:
    """The input as it is: a tensor, a sequence or nothing."""
    return x


@operator("Constant")
def constant(
    *,
    value: Tensor | None = None,
    value_float: float | None = None,
    value_floats: Sequence[float] | None = None,
    value_int: int | None = None,
    value_ints: Sequence[int] | None = None,
) -> Tensor:
    """The tensor or the numbers that its attribute holds."""
    if value is not None:
        return value
    if value_float is not None or value_floats is not None:
        return torch.tensor(value_floats if value_float is None else value_float, dtype=torch.float32)
    if value_int is None and value_ints is None:
        raise NotImplementedError("a Constant without a value")
    return torch.tensor(value_ints if value_int is None else value_int, dtype=torch.int64)
