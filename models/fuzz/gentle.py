"""Changes that mostly leave a model valid, so that it reaches conversion and inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ...converters.graphs import copied
from .mutants import FIELD_CHANGES, nodes_of, note, repeat, tensor_of

__all__ = ["gentle_mutants"]

UNARY = (
    "Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Exp", "Sqrt", "Floor", "Sin", "Log", "Softmax", "Not", "IsNaN", "Shape",
)  # fmt: skip


def gentle_mutants(random: Random, models: Sequence[ModelProto], count: int) -> Iterator[bytes]:
    """So many files that mostly are valid, to be run: whole weights, and small changes or any of all."""
    for _ in range(count):
        model = copied(random.choice(models))
        changes = GENTLE_CHANGES if random.random() < 0.8 else FIELD_CHANGES
        for _ in range(random.choice((1, 1, 2))):
            random.choice(changes)(random, model)
        yield model.SerializeToString()


def _unary(random: Random, model: ModelProto) -> None:
    single = [node for node in nodes_of(model) if node.op_type in UNARY]
    if single:
        random.choice(single).op_type = random.choice(UNARY)


def _small_attribute(random: Random, model: ModelProto) -> None:
    """Strides, pads, kernels and axes a little different."""
    held = [a for node in nodes_of(model) for a in node.attribute if a.ints or a.type == AttributeProto.INT]
    if not held:
        return
    attribute = random.choice(held)
    if attribute.ints:
        attribute.ints[random.randrange(len(attribute.ints))] = random.choice((0, 1, 2, 3, 7, 28, 1000, -1))
    else:
        attribute.i += random.choice((-2, -1, 1, 2))


def _weight(random: Random, model: ModelProto) -> None:
    """Some bytes of a weight: huge, tiny and infinite values among them."""
    tensor = tensor_of(random, model)
    data = bytearray(tensor.raw_data)
    for _ in range(random.choice((1, 10))):
        if data:
            data[random.randrange(len(data))] = random.randrange(256)
    tensor.raw_data = bytes(data)


def _insert_amplifier(random: Random, model: ModelProto) -> None:
    """Something that makes much out of little in front of a node, its size worked out by the graph itself."""
    graph = model.graph
    target = random.choice(list(graph.node))
    source = target.input[0] if target.input else graph.input[0].name
    kind, factor = random.choice(("Tile", "Expand", "ConstantOfShape", "Loop")), random.choice((2, 8, 50, 1000, 30_000))
    shape = () if kind == "Loop" else (4,)
    graph.initializer.append(numpy_helper.from_array(np.full(shape, factor, np.int64), "fz_a"))
    graph.initializer.append(numpy_helper.from_array(np.full(shape, factor // 2, np.int64), "fz_b"))
    made = [helper.make_node("Mul", ["fz_a", "fz_b"], ["fz_s"]), _amplifier(kind, source)]
    position = list(graph.node).index(target)
    target.input[0:1] = ["fz_y"]
    rest = [_copied_node(node) for node in graph.node]
    del graph.node[:]
    graph.node.extend([*rest[:position], *made, *rest[position:]])


def _amplifier(kind: str, source: str) -> NodeProto:
    if kind != "Loop":
        return helper.make_node(kind, ["fz_s"] if kind == "ConstantOfShape" else [source, "fz_s"], ["fz_y"])
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["v"], ["w"]), helper.make_node("Identity", ["c"], ["d"])], "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", TensorProto.FLOAT, None)],
        [info("d", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, None)],
    )  # fmt: skip
    return helper.make_node("Loop", ["fz_s", "", source], ["fz_y"], body=body)


def _copied_node(node: NodeProto) -> NodeProto:
    """A copy that does not belong to the graph."""
    copy = NodeProto()
    copy.CopyFrom(node)
    return copy


GENTLE_CHANGES: tuple[Callable[[Random, ModelProto], None], ...] = (
    _unary, _small_attribute, _small_attribute, _weight, _insert_amplifier, note, repeat,
)  # fmt: skip
