"""Changes of a model that a parser or a rule may not expect: of its fields, of its graph, of its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from ...converters.graphs import copied
from .byte_changes import BYTE_CHANGES

__all__ = ["FIELD_CHANGES", "mutants", "node_of", "nodes_of", "note", "repeat", "seeds", "tensor_of"]

SIZES = (-(2**63), -1, 0, 1, 2, 3, 255, 2**16, 2**31 - 1, 2**31, 2**40, 10**10, 2**63 - 1)
OPERATORS = (
    "If", "Loop", "Scan", "Constant", "ConstantOfShape", "Tile", "Expand", "Range", "Where", "Greater", "Cast",
    "Gather", "Reshape", "Pad", "Resize", "DepthToSpace", "PyOp", "Conv", "Gemm", "MatMul", "", "A" * 300, "\0",
    "Identity", "SequenceConstruct", "TreeEnsembleClassifier", "NonMaxSuppression", "Optional", "DequantizeLinear",
    "Attention",
)  # fmt: skip
TEXTS = (
    "",
    "\0",
    "../../x",
    "/etc/passwd",
    "x" * 70_000,
    "\x1b[31m",
    "\u202e",
    "ai.onnx",
    "com.microsoft",
    "-1",
    "é" * 99,
)
_WEIGHT = 2048  # bytes; larger weights of the seeds are cut, so that thousands of mutants are quick


def seeds() -> list[ModelProto]:
    """Real models to change: the bundled classifier with and without gates, branches, loops and functions in it."""
    from ..graph_backdoors.corpus import base, corpus

    original = base()
    found = [original]
    for case in corpus():
        found.append(case.make(copied(original)))
    return found


def mutants(random: Random, models: Sequence[ModelProto], count: int) -> Iterator[bytes]:
    """So many files of a few kilobytes, each a real model with one to four changes of its fields and some of its bytes.

    Args:
        random: settles everything.
        models: to start from.
        count: how many.
    """
    held = [_cut(model) for model in models]
    for _ in range(count):
        model = copied(random.choice(held))
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            random.choice(FIELD_CHANGES)(random, model)
        content = model.SerializeToString()
        for _ in range(random.choice((0, 0, 1, 3))):
            content = random.choice(BYTE_CHANGES)(random, content)
        yield content


def _cut(model: ModelProto) -> ModelProto:
    """A copy whose large weights are smaller tensors, so that a mutant is a few kilobytes."""
    copy = copied(model)
    for tensor in copy.graph.initializer:
        if len(tensor.raw_data) > _WEIGHT and tensor.data_type == TensorProto.FLOAT:
            tensor.dims[:] = [_WEIGHT // 4 // 8, 8]
            tensor.raw_data = tensor.raw_data[:_WEIGHT]
    return copy


def nodes_of(model: ModelProto) -> list[NodeProto]:
    """Every node, those of functions and of bodies in nodes included."""
    lists = [model.graph.node, *(f.node for f in model.functions)]
    lists += [a.g.node for nodes in list(lists) for n in nodes for a in n.attribute if a.HasField("g")]
    return [node for nodes in lists for node in nodes]


def node_of(random: Random, model: ModelProto) -> NodeProto:
    """A node."""
    node: NodeProto = random.choice(nodes_of(model) or [model.graph.node.add()])
    return node


def tensor_of(random: Random, model: ModelProto) -> TensorProto:
    """An initializer or a node's tensor."""
    held = [*model.graph.initializer, *(a.t for n in nodes_of(model) for a in n.attribute if a.HasField("t"))]
    tensor: TensorProto = random.choice(held or [model.graph.initializer.add()])
    return tensor


def _names(model: ModelProto) -> list[str]:
    return [name for node in nodes_of(model) for name in (*node.input, *node.output)] or ["x"]


def _operator(random: Random, model: ModelProto) -> None:
    node_of(random, model).op_type = random.choice(OPERATORS)


def _domain(random: Random, model: ModelProto) -> None:
    node_of(random, model).domain = random.choice(TEXTS)


def _rewire(random: Random, model: ModelProto) -> None:
    """Inputs and outputs at random: circles, missing ones, two makers of one name."""
    node = node_of(random, model)
    field = random.choice((node.input, node.output))
    field.append(random.choice(_names(model)))
    field[random.randrange(len(field))] = random.choice((*_names(model), "", "nowhere"))


def _shape(random: Random, model: ModelProto) -> None:
    dims = tensor_of(random, model).dims
    dims.extend(random.choices(SIZES, k=random.choice((0, 1, 1, 70))))
    if dims:
        dims[random.randrange(len(dims))] = random.choice(SIZES)


def _type(random: Random, model: ModelProto) -> None:
    tensor_of(random, model).data_type = random.choice((*range(30), -1, 2**31 - 1))


def _data(random: Random, model: ModelProto) -> None:
    tensor = tensor_of(random, model)
    kind = random.randrange(4)
    if kind == 0:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    elif kind == 1:
        tensor.float_data.extend([float("nan"), float("inf"), 1e38])
    elif kind == 2:
        tensor.int64_data.extend(random.choices(SIZES, k=3))
    else:
        tensor.raw_data = random.randbytes(random.randrange(5000))


def _external(random: Random, model: ModelProto) -> None:
    tensor = tensor_of(random, model)
    tensor.data_location = TensorProto.EXTERNAL
    values = (*TEXTS, "w.bin", "9" * 5000, str(2**70))
    for key in random.sample(("location", "offset", "length", "checksum", "__class__", "\0"), k=random.randrange(1, 5)):
        tensor.external_data.add(key=key, value=random.choice(values))


def _attribute(random: Random, model: ModelProto) -> None:
    node = node_of(random, model)
    attribute = random.choice(list(node.attribute)) if node.attribute else node.attribute.add(name="axis", type=2)
    attribute.type = random.randrange(15)
    attribute.i = random.choice(SIZES)
    attribute.ints.extend(random.choices(SIZES, k=random.choice((0, 1, 9))))
    attribute.floats.extend(random.choices((0.0, float("nan"), -1e38), k=random.choice((0, 2))))
    attribute.s = random.choice(TEXTS).encode()
    if random.random() < 0.3:
        attribute.ref_attr_name = random.choice(TEXTS)


def _body(random: Random, model: ModelProto) -> None:
    """A node moves into branches inside one another."""
    node = node_of(random, model)
    try:
        node.CopyFrom(_inside(random, node, random.choice((1, 2, 6, 20, 30))))
    except DecodeError:  # deeper than protobuf copies; changes of bytes nest further
        return


def _inside(random: Random, node: NodeProto, times: int) -> NodeProto:
    """A copy of the node, in bodies inside one another."""
    inner = NodeProto()
    inner.CopyFrom(node)
    for _ in range(times):
        graph = GraphProto(name="b", node=[inner], output=[helper.make_empty_tensor_value_info(n) for n in node.output])
        inner = NodeProto(
            op_type=random.choice(("If", "Loop", "Scan")), input=list(node.input), output=list(node.output)
        )
        name = random.choice(("then_branch", "body"))
        inner.attribute.append(AttributeProto(name=name, g=graph, type=AttributeProto.GRAPH))
    return inner


def _function(random: Random, model: ModelProto) -> None:
    """Local functions that call one another at random, and a call of one."""
    count = random.choice((1, 3, 40))
    for i in range(count):
        callees = random.choices(range(count), k=random.choice((0, 1, 2)))
        nodes = [helper.make_node(f"f{c}", ["a"], ["b"], domain="fuzz") for c in callees]
        model.functions.append(
            helper.make_function("fuzz", f"f{i}", ["a"], ["b"], nodes, [helper.make_opsetid("", 17)])
        )
    node_of(random, model).op_type, node_of(random, model).domain = "f0", "fuzz"


def repeat(random: Random, model: ModelProto) -> None:
    """A node, an initializer or an input a few times more, or gone."""
    fields = (model.graph.node, model.graph.initializer, model.graph.input, model.graph.output, model.opset_import)
    field = random.choice(fields)
    if not field:
        return
    index = random.randrange(len(field))
    if random.random() < 0.5:
        del field[index]
        return
    copies = [type(field[index]).FromString(field[index].SerializeToString()) for _ in range(random.choice((1, 50)))]
    field.extend(copies)


def note(random: Random, model: ModelProto) -> None:
    """An entry of metadata somewhere."""
    holder = random.choice((model, model.graph, node_of(random, model), tensor_of(random, model)))
    holder.metadata_props.add(key=random.choice(TEXTS), value=random.choice(TEXTS))


def _declared(random: Random, model: ModelProto) -> None:
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    value = random.choice(values) if values else model.graph.input.add()
    tensor = value.type.tensor_type
    tensor.elem_type = random.randrange(30)
    dim = tensor.shape.dim.add()
    if random.random() < 0.5:
        dim.dim_value = random.choice(SIZES)
    else:
        dim.dim_param = random.choice(TEXTS)


FIELD_CHANGES: tuple[Callable[[Random, ModelProto], None], ...] = (
    _operator, _domain, _rewire, _rewire, _shape, _type, _data, _external, _attribute, _attribute, _body, _function,
    repeat, note, _declared,
)  # fmt: skip
