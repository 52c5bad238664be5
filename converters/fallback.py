"""onnx2torch's registered converters, for operators that our table does not hold."""

from __future__ import annotations

from typing import Any

from onnx import GraphProto, NodeProto, numpy_helper
from torch import fx

from .provenance import Constant
from .torchvision_schema import import_torchvision
from .walk import Unsupported, Walk

__all__ = ["convert_node", "converter_of"]


def converter_of(node: NodeProto, opset: int) -> Any:
    """The function registered with onnx2torch, by itself or by its user; None if there is none."""
    import_torchvision()  # onnx2torch cannot be imported without
    from onnx2torch.node_converters import get_converter

    try:
        return get_converter(node.op_type, opset, node.domain)
    except NotImplementedError:
        return None


def convert_node(walk: Walk, node: NodeProto) -> list[fx.Node] | None:
    """Compute a node with onnx2torch's module for it; None if there is none.

    Raises:
        Unsupported: its converter refuses this use of the operator.
    """
    converter = converter_of(node, walk.opsets.get(node.domain, 1))
    if converter is None:
        return None
    from onnx2torch.onnx_graph import OnnxGraph

    values = dict(zip(node.input, walk.inputs(node), strict=True))
    alone = GraphProto(node=[node])
    for name, value in values.items():
        if isinstance(value, Constant):
            alone.initializer.append(numpy_helper.from_array(value.tensor.numpy(), name))
    graph = OnnxGraph(alone)
    try:
        result = converter(next(iter(graph.nodes.values())), graph)
    except (KeyError, NotImplementedError) as error:
        raise Unsupported(f"onnx2torch does not convert it: {error}") from error
    args = [walk.argument(values[name]) for name in result.onnx_mapping.inputs]
    value = walk.call(result.torch_module, args, {}, node)
    return [value] if len(node.output) == 1 else walk.parts(value, node)
