"""Files that ask for more than they are: each is refused before any library's parser sees it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxray.converters import ModelError, open_model
from onnxray.converters.survey import LIMITS, Limits, Survey, survey

SHARED = Path(__file__).parents[3] / "shared" / "suspects"
BUNDLED = sorted((Path(__file__).parents[2] / "models" / "bundled").glob("*.onnx"))
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]


def model(nodes: list[NodeProto], *constants: TensorProto, functions: list[FunctionProto] | None = None) -> ModelProto:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], list(constants))
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8, functions=functions or [])


def refused(proto: ModelProto | bytes, limits: Limits = LIMITS) -> str:
    content = proto if isinstance(proto, bytes) else proto.SerializeToString()
    started = monotonic()
    with pytest.raises(ModelError) as caught:
        survey(Path("bomb.onnx"), content, limits)
    assert monotonic() - started < 5
    assert str(caught.value).startswith("bomb.onnx: ")
    return str(caught.value)


def accepted(proto: ModelProto) -> Survey:
    return survey(Path("model.onnx"), proto.SerializeToString())


def whole(name: str, *numbers: int) -> TensorProto:
    return numpy_helper.from_array(np.array(numbers, np.int64), name)


MAKERS: dict[str, tuple[list[TensorProto], list[str], dict[str, Any]]] = {
    "ConstantOfShape": ([whole("s", 1 << 14, 1 << 14)], ["s"], {}),
    "Tile": ([whole("s", 1, 1 << 30)], ["x", "s"], {}),
    "Expand": ([whole("s", 1 << 20, 1 << 20)], ["x", "s"], {}),
    "Range": ([whole("a", 0), whole("b", 1 << 40), whole("c", 1)], ["a", "b", "c"], {}),
    "Pad": ([whole("s", 0, 1 << 20, 0, 1 << 20)], ["x", "s"], {}),
    "Resize": ([whole("s", 1, 3, 1 << 20, 1 << 20)], ["x", "", "", "s"], {}),
    "OneHot": ([whole("d", 1 << 30)], ["x", "d", "v"], {}),
    "RandomNormal": ([], [], {"shape": [1 << 20, 1 << 20]}),
    "DepthToSpace": ([], ["x"], {"blocksize": 1 << 31}),
}


@pytest.mark.parametrize("operator", MAKERS)
def test_much_made_of_constants(operator: str) -> None:
    constants, inputs, attributes = MAKERS[operator]
    message = refused(model([helper.make_node(operator, inputs, ["y"], name="n", **attributes)], *constants))
    assert f"{operator} 'n' makes" in message
    assert re.search("expected at most (134,217,728|536,870,912)", message)


def test_a_constant_node_and_one_outside_the_body_count_too() -> None:
    shape = helper.make_node("Constant", [], ["s"], value_ints=[1 << 20, 1 << 20])
    made = helper.make_node("ConstantOfShape", ["s"], ["p"])
    branch = helper.make_graph([made], "b", [], [helper.make_tensor_value_info("p", TensorProto.FLOAT, None)])
    chosen = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    assert "ConstantOfShape" in refused(model([shape, chosen]))


def loop(count: int, *inside: NodeProto, out: str = "y") -> NodeProto:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [*inside, helper.make_node("Identity", ["v"], ["w"])], "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", TensorProto.FLOAT, None)],
        [info("c", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, None)],
    )  # fmt: skip
    return helper.make_node("Loop", [f"m{count}", "", "x"], [out], name=f"loop{count}", body=body)


def test_a_loop_of_many_rounds() -> None:
    assert "'loop100000000' runs its body 100,000,000 times" in refused(
        model([loop(10**8)], whole("m100000000", 10**8))
    )
    nested = model([loop(2000, loop(2001, out="unused"))], whole("m2000", 2000), whole("m2001", 2001))
    assert "'loop2001' runs its body 4,002,000 times" in refused(nested)


def test_a_loop_that_its_condition_ends_is_no_bomb() -> None:
    endless = 2**63 - 1
    accepted(model([loop(endless)], whole(f"m{endless}", endless)))
    accepted(model([loop(1000)], whole("m1000", 1000)))


def nested_if(depth: int) -> NodeProto:
    info = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("Identity", ["x"], ["y"])
    for _ in range(depth):
        body = helper.make_graph([node], "b", [], [info])
        node = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    return node


def test_nested_bodies() -> None:
    assert accepted(model([nested_if(4)])).nesting == 4
    assert "expected at most 3 bodies inside one another, got 4" in refused(
        model([nested_if(4)]), replace(LIMITS, nesting=3)
    )
    body = GraphProto(name="b")
    for _ in range(30):  # nearly the most that a protobuf parser takes
        body = GraphProto(node=[NodeProto(op_type="If", attribute=[AttributeProto(name="then_branch", g=body)])])
    assert "inside one another" in refused(ModelProto(graph=body))


def chain(length: int, calls: int = 1) -> list[FunctionProto]:
    """Functions f0 ... that each call the next so many times; the last is an Identity."""
    last = helper.make_node("Identity", ["a"], ["b"])
    rows = [[helper.make_node(f"f{i + 1}", ["a"], ["b"], domain="f")] * calls for i in range(length - 1)] + [[last]]
    return [helper.make_function("f", f"f{i}", ["a"], ["b"], nodes, OPSETS) for i, nodes in enumerate(rows)]


CALL = helper.make_node("f0", ["x"], ["y"], domain="f")


def test_functions_that_call_functions() -> None:
    found = accepted(model([CALL], functions=chain(5, calls=2)))
    assert (found.function_depth, found.expanded) == (5, 16)
    message = refused(model([CALL], functions=chain(3000)))
    assert "expected at most 32 functions that call one another, got 3,000" in message
    assert "nodes once its functions are inlined" in refused(model([CALL], functions=chain(30, calls=2)))


def test_functions_that_call_themselves() -> None:
    again = helper.make_function("f", "f0", ["a"], ["b"], [helper.make_node("f0", ["a"], ["b"], domain="f")], OPSETS)
    assert "'f0' calls itself" in refused(model([CALL], functions=[again]))
    inside = chain(2)
    inside[1].node[0].CopyFrom(nested_if(1))
    inside[1].node[0].attribute[0].g.node.add(op_type="f0", domain="f")
    assert "calls itself" in refused(model([CALL], functions=inside))


TENSORS = {
    "more elements than bytes": TensorProto(name="w", dims=[10**10], data_type=TensorProto.BFLOAT16, raw_data=b"\0\0"),
    "overflow": TensorProto(name="w", dims=[2**32, 2**32], data_type=TensorProto.FLOAT, raw_data=b""),
    "negative": TensorProto(name="w", dims=[-1, 4], data_type=TensorProto.FLOAT, raw_data=bytes(16)),
}


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS)
def test_shapes_beyond_their_bytes(tensor: TensorProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    assert "'w' does not fit its declared shape" in refused(model([node], tensor))
    hidden = helper.make_node("Constant", [], ["c"], value=tensor)
    assert "'w' does not fit its declared shape" in refused(model([nested_if(1), hidden]))


def test_axes_by_the_thousand_and_a_sparse_tensor_of_nothing() -> None:
    many = TensorProto(name="w", dims=[2**62] * 5000, data_type=TensorProto.FLOAT)
    assert "more than 64 axes" in refused(model([helper.make_node("Identity", ["x"], ["y"])], many))
    proto = model([helper.make_node("Identity", ["x"], ["y"])])
    proto.graph.sparse_initializer.add(dims=[10**6, 10**6])
    assert "sparse tensor stands for more than" in refused(proto)


def test_names_notes_and_nodes() -> None:
    identity = helper.make_node("Identity", ["x"], ["y"])
    assert "a name in a Node has 70,000 bytes" in refused(model([helper.make_node("A" * 70_000, ["x"], ["y"])]))
    noted = model([identity])
    noted.metadata_props.add(key="k", value="v" * 5000)
    assert "bytes of metadata" in refused(noted, replace(LIMITS, notes=4000))
    assert "expected at most 3 nodes, got 4" in refused(model([identity] * 4), replace(LIMITS, nodes=3))
    assert "at most 10 fields" in refused(model([identity] * 4), replace(LIMITS, fields=10))


def test_a_name_that_is_no_text() -> None:
    content = model([helper.make_node("Identity", ["x"], ["y"], name="??")]).SerializeToString()
    assert "'name' of a Node is not UTF-8" in refused(content.replace(b"??", b"\xff\xfe"))
    weights = TensorProto(name="w", dims=[2], data_type=TensorProto.UINT8, raw_data=b"\xff\xfe")
    accepted(model([helper.make_node("Identity", ["x"], ["y"], text=b"\xff")], weights))


def test_opening_a_model_asks_first(build: Callable[..., Path]) -> None:
    path = build("(float[N,4] x) => (float[N,4] y) { k = ConstantOfShape(s)  y = Add(x, k) }", s=np.array([10**9]))
    with pytest.raises(ModelError, match="ConstantOfShape '' makes 1,000,000,000 elements"):
        open_model(path)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda p: p.stem)
def test_a_real_model_is_within_every_limit(path: Path) -> None:
    assert survey(path, path.read_bytes()).nodes > 5


def test_every_third_party_model_is_within_every_limit() -> None:
    paths = sorted(SHARED.glob("*/*.onnx"))
    if not paths:
        pytest.skip("the third-party models are not here")
    for path in paths:
        assert not survey(path, path.read_bytes()).wires.unknown_fields
