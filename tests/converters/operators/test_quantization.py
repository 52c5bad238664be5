"""Quantising and dequantising against onnxruntime, and the straight-through gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnxray.converters.operators.quantization import dynamic_quantize_linear, quantize_linear, whole_range
from onnxray.converters.to_torch import network_of

Array = NDArray[Any]


def quantizer(scale: Array, zero: Array, opset: int, **attributes: Any) -> ModelProto:
    """Quantise and dequantise an input (N, C, L)."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], **attributes),
    ]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 6]) for name in "xy"]
    weights = [numpy_helper.from_array(scale, "scale"), numpy_helper.from_array(zero, "zero")]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def run(model: ModelProto, x: Array) -> Array:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def twin(model: ModelProto, x: Array) -> Array:
    result: Array = network_of(model)(torch.from_numpy(x))[0].numpy()
    return result


def inputs(scale: float, seed: int) -> Array:
    """Values inside and outside the range of 256 steps, ties between two steps among them."""
    spread = np.random.default_rng(seed).uniform(-400, 400, (4, 3, 6)).astype(np.float32)
    spread[0] = np.round(spread[0]) + 0.5
    return (spread * np.float32(scale)).astype(np.float32)


@given(
    scale=st.floats(2**-14, 8, width=32),
    dtype=st.sampled_from(["uint8", "int8"]),
    share=st.floats(0, 1),
    opset=st.sampled_from([10, 13, 19, 21, 23]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_values_are_those_of_onnxruntime(scale: float, dtype: str, share: float, opset: int, seed: int) -> None:
    limits = np.iinfo(dtype)
    zero = np.array(round(limits.min + share * (limits.max - limits.min)), dtype)
    model = quantizer(np.array(scale, np.float32), zero, opset)
    x = inputs(scale, seed)
    np.testing.assert_array_equal(twin(model, x), run(model, x))


@pytest.mark.parametrize("zero", [np.array(0, np.int16), np.array(7, np.uint16)])
def test_sixteen_bits(zero: Array) -> None:
    model = quantizer(np.array(0.5, np.float32), zero, 21)
    x = inputs(100.0, 0)
    np.testing.assert_array_equal(twin(model, x), run(model, x))


@pytest.mark.parametrize("kind", [TensorProto.UINT4, TensorProto.INT4])
def test_four_bits(kind: int) -> None:
    model = quantizer(np.array(0.5, np.float32), np.array(0, np.int8), 21)
    model.graph.initializer[1].CopyFrom(helper.make_tensor("zero", kind, [], [3]))
    x = inputs(0.02, 0)
    np.testing.assert_array_equal(twin(model, x), run(model, x))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2])
def test_eight_bit_floats(kind: int) -> None:
    model = quantizer(np.array(0.5, np.float32), np.array(0, np.int8), 19)
    model.graph.initializer[1].CopyFrom(helper.make_tensor("zero", kind, [], [0.0]))
    x = inputs(3.0, 0)
    np.testing.assert_allclose(twin(model, x), run(model, x), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("axis", [1, -2])
def test_one_scale_for_each_channel(dtype: str, axis: int) -> None:
    model = quantizer(np.array([0.1, 0.5, 2.0], np.float32), np.array([3, 0, 100], dtype), 13, axis=axis)
    x = inputs(1.0, 0)
    np.testing.assert_array_equal(twin(model, x), run(model, x))


def test_one_scale_for_each_block() -> None:
    rng = np.random.default_rng(0)
    scale, zero = rng.uniform(0.1, 1, (4, 3, 2)).astype(np.float32), rng.integers(0, 9, (4, 3, 2), np.uint8)
    model = quantizer(scale, zero, 21, axis=2, block_size=3)
    x = inputs(0.5, 0)
    np.testing.assert_array_equal(twin(model, x), run(model, x))


def test_a_computed_scale() -> None:
    model = quantizer(np.array(1, np.float32), np.array(0, np.uint8), 13)
    model.graph.node.insert(0, helper.make_node("ReduceMax", ["x"], ["scale"], keepdims=0))
    del model.graph.initializer[0]
    x = inputs(0.02, 0)
    np.testing.assert_array_equal(twin(model, x), run(model, x))


@pytest.mark.parametrize("x", [inputs(0.1, 1), np.abs(inputs(0.1, 2)), np.zeros((4, 3, 6), np.float32)])
def test_the_range_of_the_values_themselves(x: Array) -> None:
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
             helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])]  # fmt: skip
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    graph = helper.make_graph(nodes, "net", [info], [ValueInfoProto(name=n) for n in ("y", "s", "z")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    np.testing.assert_allclose(twin(model, x), run(model, x), rtol=1e-6)


@given(scale=st.floats(2**-6, 8, width=32), zero=st.integers(-128, 127), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_gradient_is_one_inside_the_range_and_zero_outside(scale: float, zero: int, seed: int) -> None:
    x = torch.from_numpy(inputs(scale, seed)).requires_grad_()
    network = network_of(quantizer(np.array(scale, np.float32), np.array(zero, np.int8), 13))
    network(x)[0].sum().backward()
    steps = x.detach() / scale + zero
    inside = (steps > -128.4) & (steps < 127.4)
    outside = (steps < -128.6) | (steps > 127.6)
    assert x.grad is not None
    torch.testing.assert_close(x.grad[inside], torch.ones_like(x.grad[inside]))
    assert not x.grad[outside].any()


def test_the_gradient_through_a_range_of_its_own_is_one() -> None:
    x = torch.from_numpy(inputs(0.1, 0)).requires_grad_()
    whole, scale, zero = dynamic_quantize_linear(x)
    ((whole - zero) * scale).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.ones_like(x))


def test_integers_and_floats_that_hold_them_give_the_same() -> None:
    scale, x = torch.tensor(0.5), torch.tensor([-300, 7, 300], dtype=torch.int32)
    zero = torch.tensor(3, dtype=torch.uint8)
    torch.testing.assert_close(quantize_linear(x, scale, zero), quantize_linear(x.float(), scale, zero))


def test_ranges() -> None:
    assert whole_range(TensorProto.INT8) == (-128, 127)
    assert whole_range(TensorProto.UINT16) == (0, 65535)
