"""Half precision becomes float32, everywhere and only there."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxray.converters.graphs import tensors
from onnxray.converters.half_precision import to_float32
from onnxray.converters.to_torch import network_of

HALF = TensorProto.FLOAT16


def branch(name: str, value: float) -> onnx.GraphProto:
    tensor = numpy_helper.from_array(np.array([value], np.float16))
    node = helper.make_node("Constant", [], [name], value=tensor)
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, HALF, [1])])


def model(kind: int = HALF) -> ModelProto:
    """Constants of each sort: an initializer, attributes, a mask of the lowest number, one in a subgraph."""
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=kind),
        helper.make_node("MatMul", ["h", "w"], ["m"]),
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(-65504, np.float16))),
        helper.make_node("ConstantOfShape", ["n"], ["o"], value=numpy_helper.from_array(np.array([2], np.float16))),
        helper.make_node("If", ["t"], ["f"], then_branch=branch("a", 3.0), else_branch=branch("b", 4.0)),
        helper.make_node("Sum", ["m", "c", "o", "f"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.eye(3, dtype=np.float16), "w"),
        numpy_helper.from_array(np.array([3]), "n"),
        numpy_helper.from_array(np.array(True), "t"),
    ]
    infos = [helper.make_tensor_value_info(n, k, [2, 3]) for n, k in (("x", TensorProto.FLOAT), ("y", kind))]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], weights)
    graph.value_info.append(helper.make_tensor_value_info("m", kind, [2, 3]))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_no_half_precision_is_left_and_onnxruntime_agrees() -> None:
    original = model()
    single = to_float32(original)
    assert HALF not in {tensor.data_type for tensor in tensors(single)}
    onnx.checker.check_model(single, full_check=True)
    x = {"x": np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)}
    runs = [onnxruntime.InferenceSession(m.SerializeToString()).run(None, x)[0] for m in (original, single)]
    assert runs[1].dtype == np.float32
    np.testing.assert_allclose(runs[1], runs[0].astype(np.float32), rtol=1e-3)
    (got,) = network_of(single)(torch.from_numpy(x["x"]))
    np.testing.assert_allclose(got.numpy(), runs[1], rtol=1e-6)


def test_names_and_the_argument_stay_as_they_are() -> None:
    original = model()
    before = original.SerializeToString()
    single = to_float32(original)
    assert original.SerializeToString() == before
    assert [t.name for t in single.graph.initializer] == [t.name for t in original.graph.initializer]
    assert [n.output for n in single.graph.node] == [n.output for n in original.graph.node]


def test_bfloat16() -> None:
    weight = numpy_helper.from_array(np.array([1.5, -3.0], ml_dtypes.bfloat16), "w")
    infos = [helper.make_tensor_value_info(name, TensorProto.BFLOAT16, [2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", infos[:1], infos[1:], [weight])
    single = to_float32(helper.make_model(graph))
    assert {v.type.tensor_type.elem_type for v in (*single.graph.input, *single.graph.output)} == {TensorProto.FLOAT}
    np.testing.assert_array_equal(numpy_helper.to_array(single.graph.initializer[0]), np.array([1.5, -3.0], np.float32))


def test_a_model_without_half_precision_is_returned_itself() -> None:
    single = to_float32(model())
    assert to_float32(single) is single
