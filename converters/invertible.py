"""Operators on a constant weight that can be undone: the way to the folded value, and the way back.

Both ways are computed in float64: rounding and clipping to what the file's type holds come last, for all steps at once
(see weights.py), so that the steps here are plain arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from onnx import NodeProto, TensorProto, helper
from torch import Tensor

__all__ = ["Step", "step_of"]

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """One folded operator as a function of its weight, and what undoes it; both from float64 to float64."""

    forward: Change
    inverse: Change


# A node, its constant inputs, which of them is the weight, and the folded value.
_Maker = Callable[[NodeProto, Sequence[Tensor | None], int, Tensor], Step | None]


def step_of(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    """The step that a node of ONNX's own domain makes of the weight among its inputs; None where it loses values.

    Args:
        node: what was folded.
        inputs: its constants.
        weight: position of the one that is a weight of the file.
        value: the folded output.
    """
    maker = _MAKERS.get(node.op_type)
    return maker(node, inputs, weight, value) if maker else None


def _same(value: Tensor) -> Tensor:
    return value


def _given(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    """Identity and Dropout."""
    return Step(_same, _same) if weight == 0 else None


def _cast(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    """Cast and CastLike between floats or from integers; from a float to an integer they cut off."""
    source, like = inputs[weight], inputs[-1]
    if weight or source is None or like is None:
        return None
    to = _attributes(node).get("to")
    # The value's own type does not tell: the table keeps small integers as floats, with their gradient.
    floating = like.is_floating_point() if to is None else "FLOAT" in _type_name(to) or to == TensorProto.DOUBLE
    return Step(_same, _same) if floating or (not source.is_floating_point() and to != TensorProto.BOOL) else None


def _type_name(kind: int) -> str:
    return TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else ""


def _shaped(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    """Reshape, Flatten, Squeeze, Unsqueeze: the same elements in the same order."""
    source = inputs[weight]
    if weight or source is None:
        return None
    before, after = source.shape, value.shape
    return Step(lambda w: w.reshape(after), lambda v: v.reshape(before))


def _transposed(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    order = _attributes(node).get("perm") or list(reversed(range(value.dim())))
    back = [order.index(axis) for axis in range(len(order))]
    return Step(lambda w: w.permute(order), lambda v: v.permute(back))


def _dequantized(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    """DequantizeLinear: (q - zero point) scale."""
    if weight or (grid := _grid(node, inputs, value)) is None:
        return None
    scale, zero = grid
    return Step(lambda q: (q - zero) * scale, lambda v: torch.round(v / scale + zero))


def _quantized(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    """QuantizeLinear: undone up to the rounding, so that quantising again gives the same integers."""
    zero_point = inputs[2] if len(inputs) > 2 else None
    # The table keeps the integers as floats, with their gradient; the zero point tells their type.
    stored = value.dtype if zero_point is None else zero_point.dtype
    if weight or stored not in (torch.int8, torch.uint8) or (grid := _grid(node, inputs, value)) is None:
        return None
    scale, zero = grid
    limits = torch.iinfo(stored)
    return Step(
        lambda w: torch.clamp(torch.round(w / scale + zero), limits.min, limits.max),
        lambda q: (q - zero) * scale,
    )


def _grid(node: NodeProto, inputs: Sequence[Tensor | None], value: Tensor) -> tuple[Tensor, Tensor] | None:
    """Scale and zero point as large as the value; None where a scale is zero or they do not fit."""
    attributes = _attributes(node)
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
    scale = inputs[1] if len(inputs) > 1 else None
    if scale is None or not scale.all():
        return None
    zero = inputs[2] if len(inputs) > 2 else None
    zero = torch.zeros_like(scale) if zero is None else zero
    try:
        return _spread(scale.double(), value.shape, axis, block), _spread(zero.double(), value.shape, axis, block)
    except (RuntimeError, IndexError):
        return None


def _spread(values: Tensor, shape: torch.Size, axis: int, block: int) -> Tensor:
    """One for the tensor, one for each index of an axis, or one for each block along it."""
    if values.numel() == 1:
        return values.reshape(())
    if block:
        return values.repeat_interleave(block, axis).narrow(axis, 0, shape[axis])
    aligned = [1] * len(shape)
    aligned[axis] = shape[axis]
    return values.reshape(aligned)


def _added(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    other = _beside(inputs, weight, value)
    return None if other is None else Step(lambda w: w + other, lambda v: v - other)


def _subtracted(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    other = _beside(inputs, weight, value)
    if other is None:
        return None
    return Step(lambda w: other - w, lambda v: other - v) if weight else Step(lambda w: w - other, lambda v: v + other)


def _scaled(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    other = _beside(inputs, weight, value)
    return None if other is None or not other.all() else Step(lambda w: w * other, lambda v: v / other)


def _divided(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    """A weight divided by numbers; whole ones would be cut off."""
    other = _beside(inputs, weight, value)
    if weight or other is None or not other.all() or not value.is_floating_point():
        return None
    return Step(lambda w: w / other, lambda v: v * other)


def _negated(node: NodeProto, inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Step | None:
    return Step(torch.neg, torch.neg)


def _beside(inputs: Sequence[Tensor | None], weight: int, value: Tensor) -> Tensor | None:
    """The other one of two inputs; None where the weight itself is repeated, or the other is missing."""
    own, other = inputs[weight], inputs[1 - weight] if len(inputs) == 2 else None
    return None if own is None or other is None or own.shape != value.shape else other.double()


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


_MAKERS: dict[str, _Maker] = {
    "Identity": _given,
    "Dropout": _given,
    "Cast": _cast,
    "CastLike": _cast,
    "Reshape": _shaped,
    "Flatten": _shaped,
    "Squeeze": _shaped,
    "Unsqueeze": _shaped,
    "Transpose": _transposed,
    "DequantizeLinear": _dequantized,
    "QuantizeLinear": _quantized,
    "Add": _added,
    "Sub": _subtracted,
    "Mul": _scaled,
    "Div": _divided,
    "Neg": _negated,
}
