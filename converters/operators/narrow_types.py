"""Conversion to types of 8 bits and fewer; what torch has no type for is held in the next larger one."""

from __future__ import annotations

import torch
from onnx import TensorProto
from torch import Tensor

from ...kernels.straight_through import straight_through

__all__ = ["BITS", "narrowed", "wrapped"]

# Whole numbers that torch does not calculate with, or that stay in floating point: (bits, signed).
BITS: dict[int, tuple[int, bool]] = {
    TensorProto.UINT8: (8, False),
    TensorProto.INT8: (8, True),
    TensorProto.UINT16: (16, False),
    TensorProto.UINT32: (32, False),
    TensorProto.UINT4: (4, False),
    TensorProto.INT4: (4, True),
    25: (2, False),  # UINT2 and INT2, which not every supported onnx knows by name
    26: (2, True),
}
_FLOAT8: dict[int, torch.dtype] = {
    TensorProto.FLOAT8E4M3FN: torch.float8_e4m3fn,
    TensorProto.FLOAT8E4M3FNUZ: torch.float8_e4m3fnuz,
    TensorProto.FLOAT8E5M2: torch.float8_e5m2,
    TensorProto.FLOAT8E5M2FNUZ: torch.float8_e5m2fnuz,
}
_POWERS_OF_TWO = 24  # FLOAT8E8M0


def wrapped(x: Tensor, bits: int, signed: bool) -> Tensor:
    """Keep the lower bits of whole numbers; numbers with a fraction lose it first."""
    whole = x.to(torch.int32) if x.is_floating_point() else x
    kept = whole.to(torch.int64).bitwise_and(2**bits - 1)
    return torch.where(kept >= 2 ** (bits - 1), kept - 2**bits, kept) if signed else kept


def narrowed(x: Tensor, to: int, saturate: bool = True, round_mode: str = "up") -> Tensor | None:
    """Convert to a small floating-point type; None for any other type.

    Args:
        x: the values.
        to: TensorProto.DataType.
        saturate: whether what is too large becomes the largest value; else infinity, or NaN where there is none.
        round_mode: "up", "down" or "nearest"; for powers of two only, all others go to the nearest.
    """
    if to == TensorProto.FLOAT4E2M1:
        return straight_through(_float4(x.float()), x.float())
    if to == _POWERS_OF_TWO:
        return _power_of_two(x.double(), saturate, round_mode).to(torch.float8_e8m0fnu)
    if to not in _FLOAT8:
        return None
    kind = _FLOAT8[to]
    most = torch.finfo(kind).max
    x = x.float()
    if saturate:
        return x.clamp(-most, most).to(kind)
    if kind == torch.float8_e4m3fn:  # torch's own cast saturates in some versions; 464 is half-way to the next step
        x = torch.where(x.abs() > 464, torch.nan, x)
    return x.to(kind)


def _float4(x: Tensor) -> Tensor:
    """The nearest of 0, 0.5, 1, 1.5, 2, 3, 4 and 6, of either sign; NaN becomes 0."""
    size = x.abs().nan_to_num(0.0).clamp(max=6)
    step = torch.where(size < 2, 0.5, torch.where(size < 4, 1.0, 2.0))
    return torch.copysign(torch.round(size / step) * step, x)


def _power_of_two(x: Tensor, saturate: bool, round_mode: str) -> Tensor:
    """``2 ** k`` with k from -127 to 127."""
    if round_mode not in ("up", "down", "nearest"):
        raise NotImplementedError(f"round_mode {round_mode!r}; ONNX has up, down and nearest")
    low, high = 2.0**-127, 2.0**127
    x = x.clamp(low, high) if saturate else x
    mantissa, exponent = torch.frexp(x)  # from 0.5 up to 1
    upwards = {"up": mantissa > 0.5, "nearest": mantissa >= 0.75, "down": torch.zeros_like(mantissa)}[round_mode]
    power = torch.pow(2.0, exponent - 1 + upwards.to(torch.int32))
    outside = (power < low) | (power > high) | (x <= 0) | ~x.isfinite()
    return torch.where(outside, torch.nan, power)
