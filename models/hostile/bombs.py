"""Small files that ask for much: memory, time, depth."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    helper,
    numpy_helper,
)

from . import Case

__all__ = ["BOMBS"]

_OPSETS = (helper.make_opsetid("", 17), helper.make_opsetid("f", 1))


def model(*nodes: NodeProto, functions: tuple[FunctionProto, ...] = (), **constants: Any) -> ModelProto:
    """Four numbers x to four numbers y; lists become int64 constants, tensors are taken as they are."""
    info = helper.make_tensor_value_info
    held = [
        value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value, np.int64), name)
        for name, value in constants.items()
    ]
    ends = [info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    made: ModelProto = helper.make_model(graph, opset_imports=_OPSETS, ir_version=10, functions=functions)
    return made


IDENTITY = helper.make_node("Identity", ["x"], ["y"])


def _made(node: NodeProto, **constants: Any) -> ModelProto:
    return model(node, helper.make_node("Add", ["x", node.output[0]], ["y"]), **constants)


def _constant_of_shape(_: Path) -> ModelProto:
    return _made(helper.make_node("ConstantOfShape", ["s"], ["k"]), s=[145_000_000])


def _tile(_: Path) -> ModelProto:
    return _made(helper.make_node("Tile", ["x", "s"], ["k"]), s=[1, 2**34])


def _range(_: Path) -> ModelProto:
    return _made(helper.make_node("Range", ["a", "b", "c"], ["k"]), a=0, b=2**40, c=1)


def _depth_to_space(_: Path) -> ModelProto:
    return model(helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2**31 + 1))


def _loop(trips: NodeProto | None, **constants: Any) -> ModelProto:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Sin", ["v"], ["w"]), helper.make_node("Identity", ["c"], ["d"])], "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", TensorProto.FLOAT, [1, 4])],
        [info("d", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, [1, 4])],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["m", "", "x"], ["y"], body=body)
    return model(*([trips] if trips else []), loop, **constants)


def _long_loop(_: Path) -> ModelProto:
    return _loop(None, m=10**8)


def _endless_loop(_: Path) -> ModelProto:
    """Its trip count is multiplied up, which no static check sees."""
    return _loop(helper.make_node("Mul", ["a", "a"], ["m"]), a=10**6)


def _greedy(_: Path) -> ModelProto:
    """Its 40 GB are multiplied up, too."""
    square, made = helper.make_node("Mul", ["a", "a"], ["s"]), helper.make_node("ConstantOfShape", ["s"], ["k"])
    total = helper.make_node("ReduceSum", ["k"], ["r"], keepdims=0)
    return model(square, made, total, helper.make_node("Add", ["x", "r"], ["y"]), a=[10**5])


def _nested_if(_: Path) -> ModelProto:
    body = GraphProto(name="b", node=[IDENTITY])
    for _depth in range(28):
        branches = [AttributeProto(name=n, g=body, type=AttributeProto.GRAPH) for n in ("then_branch",)]
        body = GraphProto(name="b", node=[NodeProto(op_type="If", input=["c"], output=["y"], attribute=branches)])
    return ModelProto(ir_version=8, graph=body, opset_import=[_OPSETS[0]])


def _functions(_: Path, length: int, calls: int, circle: bool = False) -> ModelProto:
    last = helper.make_node("f0" if circle else "Identity", ["a"], ["b"], domain="f" if circle else "")
    rows = [[helper.make_node(f"f{i + 1}", ["a"], ["b"], domain="f")] * calls for i in range(length - 1)] + [[last]]
    functions = [helper.make_function("f", f"f{i}", ["a"], ["b"], nodes, _OPSETS) for i, nodes in enumerate(rows)]
    return model(helper.make_node("f0", ["x"], ["y"], domain="f"), functions=tuple(functions))


def _claim(_: Path, dims: list[int], kind: int = TensorProto.FLOAT) -> ModelProto:
    return model(IDENTITY, w=TensorProto(name="w", dims=dims, data_type=kind, raw_data=bytes(4)))


def _sparse(_: Path) -> ModelProto:
    made = model(IDENTITY)
    made.graph.sparse_initializer.append(SparseTensorProto(dims=[10**6, 10**6]))
    return made


def _deep_types(_: Path) -> bytes:
    """A sequence of sequences of ..., far deeper than a parser goes."""
    from ...converters.wire import varint

    inner = b""
    for _depth in range(3000):
        sequence = b"\x0a" + varint(len(inner)) + inner  # TypeProto.Sequence.elem_type
        inner = b"\x22" + varint(len(sequence)) + sequence  # TypeProto.sequence_type
    value = b"\x12" + varint(len(inner)) + inner  # ValueInfoProto.type
    graph = b"\x5a" + varint(len(value)) + value  # GraphProto.input
    content: bytes = model(IDENTITY).SerializeToString()[:2] + b"\x3a" + varint(len(graph)) + graph
    return content


def _two_graphs(_: Path) -> bytes:
    """Parsers put the two together, and a reader of the first alone sees half."""
    content: bytes = model(IDENTITY).SerializeToString()
    return content + content


BOMBS = (
    Case("constant-of-shape", "refused", _constant_of_shape),
    Case("tile", "refused", _tile),
    Case("range", "refused", _range),
    Case("depth-to-space", "refused", _depth_to_space),
    Case("long-loop", "refused", _long_loop),
    Case("endless-loop", "contained", _endless_loop),
    Case("greedy-constant", "contained", _greedy),
    Case("nested-if", "refused", _nested_if),
    Case("function-chain", "refused", partial(_functions, length=3000, calls=1)),
    Case("function-circle", "refused", partial(_functions, length=3, calls=1, circle=True)),
    Case("functions-that-double", "refused", partial(_functions, length=30, calls=2)),
    Case("bfloat16-claim", "refused", partial(_claim, dims=[10**10], kind=TensorProto.BFLOAT16)),
    Case("dims-overflow", "refused", partial(_claim, dims=[2**32, 2**32])),
    Case("negative-axis", "refused", partial(_claim, dims=[-1, 4])),
    Case("sparse-claim", "refused", _sparse),
    Case("deep-types", "refused", _deep_types),
    Case("two-graphs", "refused", _two_graphs),
)
