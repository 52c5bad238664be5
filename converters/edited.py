"""A model with other weights, or asked for what is inside it, in onnxruntime and in memory: no file is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto, numpy_helper

from .answers import find_answer
from .errors import ModelError
from .graphs import copied
from .messages import one_line
from .normalize import drop_unused, inline_functions
from .runtime import Session, cast, raw_outputs

if TYPE_CHECKING:
    from .model import Model

__all__ = ["activations", "run_edited", "run_graph", "weight_values"]

_ROWS = 64


def run_edited(model: Model, edits: Mapping[str, NDArray[Any]]) -> Session:
    """Start onnxruntime on a copy of the model in which some weights have other values.

    Args:
        model: stays as it is.
        edits: name of an initializer, or of a Constant node's output -> its values, as `patch_weights` takes them.

    Raises:
        ModelError: an edit of a weight that is not there, or onnxruntime refuses the copy.
    """
    proto = copied(model.graph)
    known = dict(_named(proto))
    for name, values in edits.items():
        if name not in known:
            raise ModelError(f"{model.path}: it has no weight {one_line(name)!r}")
        _overwrite(known[name], values)
    return run_graph(model, proto)


def run_graph(model: Model, proto: ModelProto) -> Session:
    """Start onnxruntime on another graph with this model's input and output.

    Raises:
        ModelError: onnxruntime refuses it.
    """
    answer = find_answer(proto, model.path, model.facts.output.name)
    return Session(proto.SerializeToString(), model.facts.input, answer, model.path, classes=model.classes)


def activations(model: Model, names: Sequence[str], inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return named tensors inside the model, local functions inlined, for inputs (N, ...) in its own domain.

    Raises:
        ModelError: onnxruntime cannot give one of them.
    """
    graph = copied(inline_functions(model.graph))
    del graph.graph.output[:]
    graph.graph.output.extend(ValueInfoProto(name=name) for name in names)
    content = drop_unused(graph).SerializeToString()
    fixed = model.facts.input.shape[0]
    values = cast(inputs, model.facts.input.dtype)
    try:
        return _observed(content, values, names, fixed)
    except ModelError:
        if fixed:
            raise
        return _observed(content, values, names, 1)  # a free batch axis that a Reshape inside fixes to one


def weight_values(model: Model) -> dict[str, TensorProto]:
    """Every weight of the file's main graph by its name: initializers, and Constant nodes by their output."""
    return dict(_named(model.graph))


def _observed(content: bytes, inputs: NDArray[Any], names: Sequence[str], fixed: int | None) -> dict[str, NDArray[Any]]:
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for chunk in _chunks(inputs, fixed):
        for name, value in raw_outputs(content, chunk, names).items():
            found[name].append(value)
    return {name: np.concatenate(values)[: len(inputs)] for name, values in found.items()}


def _chunks(inputs: NDArray[Any], fixed: int | None) -> list[NDArray[Any]]:
    """At most so many rows each; where only one batch size will do, the last chunk is filled up."""
    size = fixed or _ROWS
    chunks = [inputs[i : i + size] for i in range(0, len(inputs), size)]
    if fixed and len(chunks[-1]) < fixed:
        chunks[-1] = np.concatenate([chunks[-1], np.repeat(chunks[-1][-1:], fixed - len(chunks[-1]), axis=0)])
    return chunks


def _named(proto: ModelProto) -> list[tuple[str, TensorProto]]:
    found = [(tensor.name, tensor) for tensor in proto.graph.initializer]
    constants = [node for node in proto.graph.node if node.op_type == "Constant"]
    return found + [(n.output[0], a.t) for n in constants for a in n.attribute if a.HasField("t")]


def _overwrite(tensor: TensorProto, values: NDArray[Any]) -> None:
    held = numpy_helper.to_array(tensor)
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values.astype(held.dtype)).reshape(held.shape)))
    tensor.name = name
