"""The graph that becomes a torch module: one small pass after another, each a function from message to message.

A pass never changes its argument and never the predicted class; parity.py holds the result against the original file.
"""

from __future__ import annotations

from collections.abc import Callable

from onnx import ModelProto, ValueInfoProto, numpy_helper

from .folding import fold
from .free_batch import free_batch
from .graphs import copied, sort_nodes, subgraphs
from .signature import find_head

__all__ = ["PASSES", "drop_unused", "fold_constants", "lift_constants", "normalize", "strip_head"]


def normalize(model: ModelProto) -> ModelProto:
    """Run all passes, in order."""
    for step in PASSES:
        model = step(model)
    return model


def strip_head(model: ModelProto) -> ModelProto:
    """End the graph at the logits."""
    logits = find_head(model).logits
    if logits == model.graph.output[0].name:
        return model
    model = copied(model)
    del model.graph.output[:]
    model.graph.output.append(ValueInfoProto(name=logits))  # onnxruntime infers its type
    return drop_unused(model)


def drop_unused(model: ModelProto) -> ModelProto:
    """Drop the nodes and initializers that no output needs; graphs with subgraphs are left alone."""
    if any(subgraphs(attribute) for node in model.graph.node for attribute in node.attribute):
        return model
    producers = {name: node for node in model.graph.node for name in node.output if name}
    used = set[str]()
    pending = [output.name for output in model.graph.output]
    while pending:
        if (name := pending.pop()) not in used:
            used.add(name)
            pending += producers[name].input if name in producers else ()
    model = copied(model)
    nodes = [node for node in model.graph.node if not used.isdisjoint(node.output)]
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(initializers)
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


def fold_constants(model: ModelProto) -> ModelProto:
    """Compute DequantizeLinear, Identity, Cast and Transpose where they only work on initializers."""
    model = copied(model)
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        inputs = [known.get(name) for name in node.input if name]
        arrays = [numpy_helper.to_array(tensor) for tensor in inputs if tensor is not None]
        value = fold(node, arrays) if arrays and len(arrays) == len(inputs) else None
        if value is None:
            kept.append(node)
        else:
            known[node.output[0]] = numpy_helper.from_array(value, node.output[0])
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(known.values())
    return drop_unused(model)


PASSES: tuple[Callable[[ModelProto], ModelProto], ...] = (
    sort_nodes, strip_head, lift_constants, fold_constants, free_batch,
)  # fmt: skip
