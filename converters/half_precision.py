"""Half precision to float32: the twin computes in float32 throughout, where searches along its gradient are sound."""

from __future__ import annotations

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, TypeProto, numpy_helper

from .graphs import copied, subgraphs

__all__ = ["to_float32"]

_HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
_TYPES = ("to", "dtype", "output_dtype", "stash_type", "softmax_precision")  # attributes that name a type


def to_float32(model: ModelProto) -> ModelProto:
    """Return the model with float16 and bfloat16 made float32, every name kept; itself if it holds neither.

    Initializers, inputs, outputs and attributes change, those of subgraphs too; local functions do not.
    """
    changed = copied(model)
    return changed if _convert_graph(changed.graph) else model


def _convert_graph(graph: GraphProto) -> bool:
    """Change a graph in place; whether there was anything to change."""
    changed = [_convert_tensor(tensor) for tensor in graph.initializer]
    changed += [_convert_tensor(sparse.values) for sparse in graph.sparse_initializer]
    values = (*graph.input, *graph.output, *graph.value_info)
    changed += [_convert_type(value.type) for value in values]
    changed += [_convert_attribute(attribute) for node in graph.node for attribute in node.attribute]
    return any(changed)


def _convert_attribute(attribute: AttributeProto) -> bool:
    if attribute.name in _TYPES and attribute.type == AttributeProto.INT and attribute.i in _HALVES:
        attribute.i = TensorProto.FLOAT
        return True
    changed = [_convert_graph(graph) for graph in subgraphs(attribute)]
    changed += [_convert_tensor(tensor) for tensor in attribute.tensors]
    if attribute.HasField("t"):
        changed.append(_convert_tensor(attribute.t))
    if attribute.HasField("sparse_tensor"):
        changed.append(_convert_tensor(attribute.sparse_tensor.values))
    if attribute.HasField("tp"):
        changed.append(_convert_type(attribute.tp))
    return any(changed)


def _convert_type(kind: TypeProto) -> bool:
    """Change a tensor's type, or that of the tensors in a sequence or an optional."""
    which = kind.WhichOneof("value")
    if which in ("sequence_type", "optional_type"):
        return _convert_type(getattr(kind, which).elem_type)
    if which not in ("tensor_type", "sparse_tensor_type") or getattr(kind, which).elem_type not in _HALVES:
        return False
    getattr(kind, which).elem_type = TensorProto.FLOAT
    return True


def _convert_tensor(tensor: TensorProto) -> bool:
    if tensor.data_type not in _HALVES:
        return False
    values = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return True
