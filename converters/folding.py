"""What a node computes when all its inputs are known: the few operators that stand between weights and their use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

__all__ = ["fold"]

Arrays = list[NDArray[Any]]


def fold(node: NodeProto, inputs: Arrays) -> NDArray[Any] | None:
    """Return the value of a node's one output, or None where this operator is not folded."""
    compute = _FOLDS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    value = compute(node, inputs) if compute else None
    return None if value is None else np.asarray(value, order="C")


def _dequantize(node: NodeProto, inputs: Arrays) -> NDArray[Any] | None:
    values, scale, *rest = inputs
    attributes = {a.name: a.i for a in node.attribute}
    if attributes.get("block_size") or values.dtype.kind not in "iu":
        return None
    zero = rest[0] if rest else np.zeros((), values.dtype)
    if scale.size > 1:  # one for each entry of the axis
        shape = [1] * values.ndim
        shape[attributes.get("axis", 1)] = scale.size
        scale, zero = scale.reshape(shape), np.broadcast_to(zero, scale.shape).reshape(shape)
    else:
        scale, zero = scale.reshape(()), zero.reshape(())
    return np.asarray((values.astype(np.int64) - zero.astype(np.int64)).astype(scale.dtype) * scale)


def _cast(node: NodeProto, inputs: Arrays) -> NDArray[Any] | None:
    target = helper.tensor_dtype_to_np_dtype(next(a.i for a in node.attribute if a.name == "to"))
    return inputs[0].astype(target) if target.kind in "fiub" else None


def _transpose(node: NodeProto, inputs: Arrays) -> NDArray[Any] | None:
    order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
    return np.transpose(inputs[0], order)


def _identity(node: NodeProto, inputs: Arrays) -> NDArray[Any] | None:
    return inputs[0]


_FOLDS: dict[str, Callable[[NodeProto, Arrays], NDArray[Any] | None]] = {
    "Cast": _cast,
    "DequantizeLinear": _dequantize,
    "Identity": _identity,
    "Transpose": _transpose,
}
