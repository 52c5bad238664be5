"""Which input takes what is classified, and how many classes there are."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from onnx import GraphProto, TensorProto, TypeProto, ValueInfoProto, helper

from .errors import NotAClassifier
from .facts import TensorSpec, shown
from .graphs import needed
from .messages import one_line

__all__ = ["count_classes", "input_spec", "kind_of", "spec_of"]

_MAX_ELEMENTS = 2**28  # 1 GiB of float32 in one batch; a hostile file may claim any number


def input_spec(graph: GraphProto, file: str, output: str | None = None) -> TensorSpec:
    """Return the single input that is no initializer; of several, the only one that is read.

    Args:
        graph: the file's own.
        file: for messages.
        output: its output with the scores, for which an input has to be read to count; None if any output will do.

    Raises:
        NotAClassifier: none or several, no numbers, or no batch axis with something behind it.
    """
    constants = {tensor.name for tensor in graph.initializer}
    values = [value for value in graph.input if value.name not in constants]
    if len(values) > 1:
        read = needed(graph, [output] if output else [value.name for value in graph.output])
        values = [value for value in values if value.name in read]
    if len(values) != 1:
        names = one_line(", ".join(value.name for value in values)) or "none"
        raise NotAClassifier(
            f"{file}: expected a classifier with one input, got {len(values)} ({names}); export it with one input, the "
            "others made constants (onnxray inspect tells what else is in it)"
        )
    spec = spec_of(values[0], "input", file)
    if len(spec.shape) < 2:
        raise NotAClassifier(f"{file}: expected an input of rank 2 or more, (N, ...), got shape {shown(spec.shape)}")
    if prod(size or 1 for size in spec.shape) > _MAX_ELEMENTS:
        raise NotAClassifier(f"{file}: expected an input of at most {_MAX_ELEMENTS} values, got {shown(spec.shape)}")
    return spec


def count_classes(output: TensorSpec, file: str, probe: Callable[[], tuple[int, ...]]) -> int:
    """Return K of an output (N, K), or (N, K, 1, 1) and the like.

    Args:
        output: as the file declares it.
        file: for messages.
        probe: runs the model once and returns the shape of its scores; called when the declaration leaves it open.

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
        raise NotAClassifier(f"{file}: expected K >= 2 scores per input, got shape {shown(shape)}")
    return wide[0]


def spec_of(value: ValueInfoProto, what: str, file: str) -> TensorSpec:
    """Return name, shape and dtype of a graph's input or output.

    Raises:
        NotAClassifier: it is no tensor of numbers.
    """
    kind = value.type.WhichOneof("value")
    tensor = value.type.tensor_type
    dtype = _dtype(tensor) if kind == "tensor_type" else None
    if dtype is None:
        raise NotAClassifier(
            f"{file}: expected {what} {one_line(value.name)!r} to be a tensor of numbers, got {kind_of(value.type)}"
        )
    return TensorSpec(value.name, tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim), dtype)


def kind_of(type_: TypeProto) -> str:
    """Return a type in words: "float values", "sequence"."""
    kind = type_.WhichOneof("value") or "no type"
    elem = type_.tensor_type.elem_type
    if kind != "tensor_type" or elem not in TensorProto.DataType.values():
        return kind.removesuffix("_type")
    return f"{TensorProto.DataType.Name(elem).lower()} values"


def _dtype(tensor: TypeProto.Tensor) -> str | None:
    """Numpy's name of a floating or integer type that numpy itself has; None for all others."""
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    except (KeyError, TypeError, ValueError):
        return None
    return dtype.name if np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating) else None
