"""Cut an exporter's message down to a classifier: one output."""

from __future__ import annotations

from onnx import ModelProto

from ..errors import NotAClassifier
from ..messages import one_line

__all__ = ["declare_scores", "only_output"]


def only_output(model: ModelProto, name: str, file: str) -> ModelProto:
    """Drop all outputs but one, and the nodes that nothing else needs; in place.

    Raises:
        NotAClassifier: there is no output of that name.
    """
    graph = model.graph
    kept = [output for output in graph.output if output.name == name]
    if not kept:
        names = one_line(", ".join(output.name for output in graph.output))
        raise NotAClassifier(f"{file}: expected scores for each class, got outputs {names}; this is no classifier")
    needed, nodes = {name}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed.update(node.input)
            nodes.append(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, values in ((graph.output, kept), (graph.node, nodes[::-1]), (graph.initializer, weights)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)
    return model


def declare_scores(model: ModelProto, classes: int) -> ModelProto:
    """Declare the one output as (N, K), which some exporters get wrong for two classes; in place."""
    dims = model.graph.output[0].type.tensor_type.shape.dim
    del dims[:]
    dims.add().dim_param = "N"
    dims.add().dim_value = classes
    return model
