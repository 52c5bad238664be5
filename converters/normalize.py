"""The graph that becomes a torch module: one small pass after another, each a function from message to message.

A pass never changes its argument and never the predicted class; parity.py holds the result against the original file.
Tensors keep their names, so that what is found in the twin can be named in the file.
"""

from __future__ import annotations

from collections.abc import Callable

from onnx import ModelProto, ValueInfoProto
from onnx.inliner import inline_local_functions

from .answers import find_head
from .free_batch import free_batch
from .graphs import copied, every_node, live_nodes, needed, sort_nodes
from .half_precision import to_float32

__all__ = ["PASSES", "drop_unused", "fix_batch", "inline_functions", "lift_constants", "normalize", "strip_head"]


def normalize(model: ModelProto, output: str, batch: int | None = None) -> ModelProto:
    """Run all passes, in order, on the part of the graph behind an output.

    Args:
        model: a checked classifier.
        output: the name of the output with the scores.
        batch: the only batch size that the graph takes, where that is known and not what it declares.
    """
    model = strip_head(inline_functions(model), output)
    if batch:
        model = fix_batch(model, batch)
    for step in PASSES:
        model = step(model)
    return model


def inline_functions(model: ModelProto) -> ModelProto:
    """Put the bodies of the model's own functions in place of their calls."""
    return inline_local_functions(_with_defaults(model)) if model.functions else model


def _with_defaults(model: ModelProto) -> ModelProto:
    """Write out at each call the defaults of the function's attributes, which onnx's inliner leaves out."""
    defaults = {(f.domain, f.name): list(f.attribute_proto) for f in model.functions if f.attribute_proto}
    if not defaults:
        return model
    model = copied(model)
    for node in every_node(model):
        given = {attribute.name for attribute in node.attribute}
        missing = (a for a in defaults.get((node.domain, node.op_type), ()) if a.name not in given)
        node.attribute.extend(list(missing))
    return model


def fix_batch(model: ModelProto, batch: int) -> ModelProto:
    """Declare the batch size that the graph takes."""
    model = copied(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in constants and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    return model


def strip_head(model: ModelProto, output: str) -> ModelProto:
    """End the graph at the logits behind an output, the only one that is left, and drop all that it does not need."""
    logits = find_head(model, output).logits
    if [value.name for value in model.graph.output] != [logits]:
        model = copied(model)
        del model.graph.output[:]
        model.graph.output.append(ValueInfoProto(name=logits))  # onnxruntime infers its type
    return drop_unused(model)


def drop_unused(model: ModelProto) -> ModelProto:
    """Drop the nodes, initializers and inputs that no output needs; of inputs, the first stays if none is needed."""
    graph = model.graph
    used = needed(graph, (output.name for output in graph.output))
    nodes = live_nodes(graph)
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    inputs = [value for value in graph.input if value.name in used] or graph.input[:1]
    if (len(nodes), len(initializers), len(inputs)) == (len(graph.node), len(graph.initializer), len(graph.input)):
        return model
    model = copied(model)
    del model.graph.node[:], model.graph.initializer[:], model.graph.input[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(initializers)
    model.graph.input.extend(inputs)
    return model


def lift_constants(model: ModelProto) -> ModelProto:
    """Turn Constant nodes that hold a tensor into initializers."""
    model = copied(model)
    kept = []
    for node in model.graph.node:
        values = [a.t for a in node.attribute if a.name == "value"]
        if node.op_type == "Constant" and values:
            model.graph.initializer.add().CopyFrom(values[0])
            model.graph.initializer[-1].name = node.output[0]
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


PASSES: tuple[Callable[[ModelProto], ModelProto], ...] = (
    sort_nodes, to_float32, lift_constants, free_batch,
)  # fmt: skip
