"""Which input takes the image, which output gives the scores, and where the logits are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, helper

from .errors import NotAClassifier
from .facts import TensorSpec, shown
from .messages import one_line

__all__ = ["Head", "count_classes", "find_head", "input_spec", "output_spec"]

_MAX_ELEMENTS = 2**28  # 1 GiB of float32 in one batch; a hostile file may claim any number
_SATURATING = ("Softmax", "LogSoftmax", "Sigmoid")
_TRANSPARENT = (
    "Cast", "DequantizeLinear", "Dropout", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Unsqueeze",
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """The operators between logits and output, in order of execution, and the name of the logits."""

    logits: str
    operators: tuple[str, ...]


def input_spec(graph: GraphProto, file: str) -> TensorSpec:
    """Return the single input that is no initializer.

    Raises:
        NotAClassifier: none or several, no numbers, or no batch axis with something behind it.
    """
    constants = {tensor.name for tensor in graph.initializer}
    spec = _single([value for value in graph.input if value.name not in constants], "input", file)
    if len(spec.shape) < 2:
        raise NotAClassifier(f"{file}: expected an input of rank 2 or more, (N, ...), got shape {shown(spec.shape)}")
    if prod(size or 1 for size in spec.shape) > _MAX_ELEMENTS:
        raise NotAClassifier(f"{file}: expected an input of at most {_MAX_ELEMENTS} values, got {shown(spec.shape)}")
    return spec


def output_spec(graph: GraphProto, file: str) -> TensorSpec:
    """Return the single output.

    Raises:
        NotAClassifier: none or several, or no numbers.
    """
    return _single(list(graph.output), "output", file)


def count_classes(output: TensorSpec, file: str, probe: Callable[[], tuple[int, ...]]) -> int:
    """Return K of an output (N, K), or (N, K, 1, 1) and the like.

    Args:
        output: as the file declares it.
        file: for messages.
        probe: runs the model once and returns the output's real shape; called when the declaration leaves it open.

    Raises:
        NotAClassifier: another rank, or fewer than two classes.
    """
    shape = output.shape
    if len(shape) < 2 or None in shape[1:]:
        shape = probe()
    wide = [size or 0 for size in shape[1:] if size != 1]
    if len(shape) < 2 or len(wide) > 1:
        raise NotAClassifier(f"{file}: expected scores of shape (N, K), got {shown(shape)}; this is no classifier")
    if not wide or wide[0] < 2:
        raise NotAClassifier(
            f"{file}: expected K >= 2 scores per input, got shape {shown(shape)}; a model with a single logit is not "
            "supported yet: export it with two outputs, (1 - p, p)"
        )
    return wide[0]


def find_head(model: ModelProto) -> Head:
    """Walk back from the output to the input of the first softmax, log-softmax or sigmoid.

    They saturate and so hide the gradient; being monotone in each score, they leave the predicted class alone.
    Nothing is left out where none is found.
    """
    producers = {name: node for node in model.graph.node for name in node.output}
    tensor = model.graph.output[0].name
    walked: list[str] = []
    head = Head(tensor, ())
    while (node := producers.pop(tensor, None)) is not None and node.domain in ("", "ai.onnx"):
        if node.op_type not in _SATURATING + _TRANSPARENT or _over_batch(node):
            break
        walked.insert(0, node.op_type)
        tensor = node.input[0]
        if node.op_type in _SATURATING and tensor in producers:
            head = Head(tensor, tuple(walked))
    return head


def _over_batch(node: NodeProto) -> bool:
    """A softmax over the batch axis is no classifier's head."""
    return node.op_type in _SATURATING and any(a.name == "axis" and a.i == 0 for a in node.attribute)


def _single(values: list[ValueInfoProto], what: str, file: str) -> TensorSpec:
    if len(values) != 1:
        names = one_line(", ".join(value.name for value in values)) or "none"
        raise NotAClassifier(
            f"{file}: expected a classifier with one {what}, got {len(values)} ({names}); export it with one {what}"
        )
    return _spec(values[0], what, file)


def _spec(value: ValueInfoProto, what: str, file: str) -> TensorSpec:
    kind = value.type.WhichOneof("value")
    tensor = value.type.tensor_type
    dtype = _dtype(tensor) if kind == "tensor_type" else None
    if dtype is None:
        raise NotAClassifier(
            f"{file}: expected {what} {one_line(value.name)!r} to be a tensor of numbers, got {_kind(value.type)}"
        )
    return TensorSpec(value.name, tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim), dtype)


def _dtype(tensor: TypeProto.Tensor) -> str | None:
    """Numpy's name of a floating or integer type that numpy itself has; None for all others."""
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    except (KeyError, TypeError, ValueError):
        return None
    return dtype.name if np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating) else None


def _kind(type_: TypeProto) -> str:
    kind = type_.WhichOneof("value") or "no type"
    elem = type_.tensor_type.elem_type
    if kind != "tensor_type" or elem not in TensorProto.DataType.values():
        return kind.removesuffix("_type")
    return f"{TensorProto.DataType.Name(elem).lower()} values"
