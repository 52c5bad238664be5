"""The quantisation operators against onnxruntime."""

import importlib

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnxray.converters import TwinError, operators
from onnxray.converters.operators import quantization
from onnxray.converters.to_torch import to_torch

DTYPES = ("uint8", "int8")


def quantizer(scale: np.ndarray, zero: np.ndarray, opset: int, axis: int | None = None) -> onnx.ModelProto:
    """Quantise and dequantise an input (N, C, L)."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    for node in nodes if axis is not None else []:
        node.attribute.append(helper.make_attribute("axis", axis))
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 5]) for name in "xy"]
    weights = [numpy_helper.from_array(scale, "scale"), numpy_helper.from_array(zero, "zero")]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def inputs(scale: float, seed: int) -> np.ndarray:
    """Values inside and outside the range of 256 steps, ties between two steps among them."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(-400, 400, (4, 3, 5)).astype(np.float32)
    spread[0] = np.round(spread[0]) + 0.5
    return (spread * np.float32(scale)).astype(np.float32)


def test_registering_again_changes_nothing() -> None:
    from onnx2torch.node_converters import registry  # after `operators`, which makes it importable

    operators.register()
    before = dict(registry._CONVERTER_REGISTRY)
    importlib.reload(quantization)
    operators.register()
    assert before.keys() == registry._CONVERTER_REGISTRY.keys()
    to_torch(quantizer(np.array(1, np.float32), np.array(0, np.uint8), 13), "test")


@pytest.mark.parametrize("zero", [np.array(0, np.int16), np.array(7, np.uint16)])
def test_sixteen_bits(zero: np.ndarray) -> None:
    model = quantizer(np.array(0.5, np.float32), zero, 21)
    x = inputs(100.0, 0)
    np.testing.assert_array_equal(to_torch(model, "test").network(torch.from_numpy(x)).numpy(), run(model, x))


def test_a_computed_scale_is_refused_by_name() -> None:
    model = quantizer(np.array(1, np.float32), np.array(0, np.uint8), 13)
    model.graph.node.insert(0, helper.make_node("ReduceMax", ["x"], ["scale"], keepdims=0))
    del model.graph.initializer[0]
    with pytest.raises(TwinError, match="QuantizeLinear with a computed scale"):
        to_torch(model, "test")


@given(
    scale=st.floats(2**-14, 8, width=32),
    dtype=st.sampled_from(DTYPES),
    share=st.floats(0, 1),
    opset=st.sampled_from([10, 13, 19, 21]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_values_are_those_of_onnxruntime(scale: float, dtype: str, share: float, opset: int, seed: int) -> None:
    limits = np.iinfo(dtype)
    zero = np.array(round(limits.min + share * (limits.max - limits.min)), dtype)
    model = quantizer(np.array(scale, np.float32), zero, opset)
    x = inputs(scale, seed)
    got = to_torch(model, "test").network(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(got, run(model, x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [1, -2])
def test_one_scale_for_each_channel(dtype: str, axis: int) -> None:
    model = quantizer(np.array([0.1, 0.5, 2.0], np.float32), np.array([3, 0, 100], dtype), 13, axis)
    x = inputs(1.0, 0)
    np.testing.assert_array_equal(to_torch(model, "test").network(torch.from_numpy(x)).numpy(), run(model, x))


@given(scale=st.floats(2**-6, 8, width=32), zero=st.integers(-128, 127), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_gradient_is_one_inside_the_range_and_zero_outside(scale: float, zero: int, seed: int) -> None:
    x = torch.from_numpy(inputs(scale, seed)).requires_grad_()
    network = to_torch(quantizer(np.array(scale, np.float32), np.array(zero, np.int8), 13), "test").network
    network(x).sum().backward()
    steps = x.detach() / scale + zero
    inside = (steps > -127.9) & (steps < 126.9)
    outside = (steps < -128.1) | (steps > 127.1)
    assert x.grad is not None
    torch.testing.assert_close(x.grad[inside], torch.ones_like(x.grad[inside]))
    assert not x.grad[outside].any()
