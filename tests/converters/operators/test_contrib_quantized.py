"""onnxruntime's quantised operators against onnxruntime itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper
from onnxray.converters.dtypes import tensor_of
from onnxray.converters.operators import find
from onnxray.converters.to_torch import network_of

Array = NDArray[Any]
RNG = np.random.default_rng(0)
IMAGES, OTHERS = RNG.integers(0, 256, (2, 8, 6, 6), np.uint8), RNG.integers(0, 256, (2, 8, 6, 6), np.uint8)
SIGNED = RNG.integers(-128, 128, (2, 8, 6, 6), np.int8)
FINE, COARSE, MIDDLE, ZERO = np.float32(0.02), np.float32(0.07), np.uint8(120), np.int8(-3)


def node(name: str, inputs: list[Any], **attributes: Any) -> ModelProto:
    """A model of one node, all inputs fed."""
    names = [f"i{i}" if value is not None else "" for i, value in enumerate(inputs)]
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype), np.shape(v))
        for n, v in zip(names, inputs, strict=True)
        if v is not None
    ]
    one = helper.make_node(name, names, ["y"], domain="com.microsoft", **attributes)
    graph = helper.make_graph([one], "g", infos, [ValueInfoProto(name="y")])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def differences(name: str, inputs: list[Any], **attributes: Any) -> Array:
    """What onnxruntime says minus what the twin says."""
    model = node(name, inputs, **attributes)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {f"i{i}": np.asarray(v) for i, v in enumerate(inputs) if v is not None}
    expected = session.run(None, feeds)[0]
    got = network_of(model)(*[tensor_of(numpy_helper.from_array(v)) for v in feeds.values()])[0].numpy()
    assert got.shape == expected.shape
    result: Array = got.astype(np.float64) - expected.astype(np.float64)
    return result


POINTWISE: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("QLinearAdd", [IMAGES, FINE, MIDDLE, OTHERS, COARSE, np.uint8(3), np.float32(0.1037), np.uint8(99)], {}),
    ("QLinearAdd", [SIGNED, FINE, ZERO, SIGNED[0], COARSE, ZERO, COARSE, ZERO], {}),
    ("QLinearMul", [IMAGES, FINE, MIDDLE, OTHERS, COARSE, np.uint8(3), np.float32(0.2), np.uint8(99)], {}),
    ("QLinearLeakyRelu", [IMAGES, FINE, MIDDLE, COARSE, MIDDLE], {"alpha": 0.2}),
    ("QLinearLeakyRelu", [SIGNED, COARSE, ZERO, FINE, ZERO], {}),
    ("QLinearSigmoid", [IMAGES, COARSE, MIDDLE, np.float32(1 / 256), np.uint8(0)], {}),
    ("QLinearConcat", [COARSE, MIDDLE, IMAGES, FINE, MIDDLE, OTHERS, COARSE, np.uint8(3)], {"axis": 1}),
    ("QLinearWhere", [OTHERS > 9, IMAGES, FINE, MIDDLE, OTHERS, COARSE, np.uint8(3), COARSE, MIDDLE], {}),
]
POOLS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("QLinearSoftmax", [IMAGES, COARSE, MIDDLE, np.float32(1 / 256), np.uint8(0)], {"opset": 13, "axis": -1}),
    ("QLinearSoftmax", [IMAGES, FINE, MIDDLE, np.float32(1 / 256), np.uint8(0)], {"opset": 12, "axis": 2}),
    ("QLinearSoftmax", [SIGNED, COARSE, ZERO, np.float32(1 / 256), np.int8(-128)], {"opset": 13, "axis": 1}),
    ("QLinearGlobalAveragePool", [IMAGES, FINE, MIDDLE, FINE, MIDDLE], {}),
    ("QLinearGlobalAveragePool", [IMAGES, FINE, MIDDLE, FINE, MIDDLE], {"channels_last": 1}),
    ("QLinearAveragePool", [IMAGES, FINE, MIDDLE, FINE, MIDDLE], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    (
        "QLinearAveragePool",
        [IMAGES, FINE, MIDDLE, FINE, MIDDLE],
        {"kernel_shape": [2, 2], "strides": [2, 2], "channels_last": 1},
    ),
    (
        "QLinearAveragePool",
        [SIGNED, FINE, ZERO, FINE, ZERO],
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
]


@pytest.mark.parametrize(("name", "inputs", "attributes"), POINTWISE, ids=lambda v: v if isinstance(v, str) else "")
def test_pointwise_operators_differ_by_one_step_at_most_and_hardly_ever(
    name: str, inputs: list[Any], attributes: dict[str, Any]
) -> None:
    wrong = differences(name, inputs, **attributes)
    assert np.abs(wrong).max() <= 1
    assert (wrong != 0).mean() < 0.02


@pytest.mark.parametrize(("name", "inputs", "attributes"), POOLS, ids=lambda v: v if isinstance(v, str) else "")
def test_pooling_operators_differ_by_one_step_at_most(name: str, inputs: list[Any], attributes: dict[str, Any]) -> None:
    wrong = differences(name, inputs, **attributes)
    assert np.abs(wrong).max() <= 1
    assert (wrong != 0).mean() < 0.05


def test_the_convolution_takes_channels_first_or_last() -> None:
    kernel = RNG.integers(-9, 9, (4, 8, 3, 3), np.int8)
    scales = RNG.uniform(0.01, 0.02, 4).astype(np.float32)
    bias = RNG.integers(-999, 999, 4, np.int32)
    rest = [FINE, MIDDLE, kernel, scales, np.zeros(4, np.int8), np.float32(0.1), MIDDLE, bias]
    for images, last in ((IMAGES, 0), (np.ascontiguousarray(np.moveaxis(IMAGES, 1, -1)), 1)):
        wrong = differences("QLinearConv", [images, *rest], channels_last=last, pads=[1, 1, 1, 1], strides=[2, 1])
        assert np.abs(wrong).max() <= 1
        assert (wrong != 0).mean() < 0.01


@pytest.mark.parametrize("output", [[], [np.float32(0.5), np.uint8(100)]])
@pytest.mark.parametrize("bias", [None, RNG.integers(-999, 999, 5, np.int32)])
def test_the_product_with_a_bias_is_quantised_if_there_is_a_scale(output: list[Any], bias: Array | None) -> None:
    a, b = RNG.integers(0, 256, (3, 7), np.uint8), RNG.integers(-128, 128, (5, 7), np.int8)
    scales = RNG.uniform(0.01, 0.02, 5).astype(np.float32)
    wrong = differences("QGemm", [a, FINE, MIDDLE, b, scales, np.zeros(5, np.int8), bias, *output], transB=1)
    assert np.abs(wrong).max() <= (1e-4 if not output else 1)


@pytest.mark.parametrize("by_column", [False, True])
def test_products_that_return_floats(by_column: bool) -> None:
    a, b = RNG.normal(size=(2, 3, 7)).astype(np.float32), RNG.integers(0, 256, (7, 5), np.uint8)
    size = (5,) if by_column else ()
    scale, zero = RNG.uniform(0.01, 0.02, size).astype(np.float32), RNG.integers(0, 256, size, np.uint8)
    bias = RNG.normal(size=5).astype(np.float32)
    assert np.abs(differences("DynamicQuantizeMatMul", [a, b, scale, zero, bias])).max() < 1e-4
    whole = [RNG.integers(0, 256, (3, 7), np.uint8), b, FINE, scale, MIDDLE, zero, bias]
    assert np.abs(differences("MatMulIntegerToFloat", whole)).max() < 1e-4


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("zeros", ["default", "packed", "floats"])
@pytest.mark.parametrize("size", [64, 72])
def test_weights_of_few_bits(bits: int, zeros: str, size: int) -> None:
    rows, block = 6, 32
    blocks = -(-size // block)
    a = RNG.normal(size=(3, size)).astype(np.float32)
    b = RNG.integers(0, 256, (rows, blocks, block * bits // 8), np.uint8)
    scales = RNG.uniform(0.1, 0.2, (rows, blocks)).astype(np.float32)
    packed = RNG.integers(0, 256, (rows, -(-blocks * bits // 8)), np.uint8)
    zero = {"default": None, "packed": packed, "floats": scales * 20}[zeros]
    if zeros == "floats" and bits == 8:
        pytest.skip("onnxruntime does not run it")
    wrong = differences("MatMulNBits", [a, b, scales, zero], K=size, N=rows, bits=bits, block_size=block)
    assert np.abs(wrong).max() < 1e-3


def test_gradients_are_those_without_the_rounding() -> None:
    operator = find("com.microsoft", "QLinearMul", 1)
    assert operator is not None
    scale, zero = torch.tensor(0.1), torch.tensor(0, dtype=torch.int8)
    a, b = torch.tensor([4.0, -3.0, 90.0]).requires_grad_(), torch.tensor([5.0, 6.0, 90.0])
    operator.function(a, scale, zero, b, scale, zero, scale, zero).sum().backward()
    assert a.grad is not None
    torch.testing.assert_close(a.grad, torch.tensor([0.5, 0.6, 0.0]))  # the last one is clipped


def test_weights_prepacked_for_one_processor_are_refused() -> None:
    operator = find("com.microsoft", "MatMulNBits", 1)
    assert operator is not None
    with pytest.raises(NotImplementedError, match="weight_prepacked"):
        operator.function(*[torch.zeros(1)] * 3, K=1, N=1, block_size=16, weight_prepacked=1)


def test_quantisation_to_and_from_integers() -> None:
    values = RNG.normal(0, 3, (2, 3, 5)).astype(np.float32)
    assert not differences("QuantizeLinear", [values, FINE, MIDDLE]).any()
    zeros = np.array([0, 100, -7], np.int16)
    scales = np.array([0.1, 0.2, 0.3], np.float32)
    assert not differences("QuantizeLinear", [values, scales, zeros], axis=1).any()
    assert not differences("DequantizeLinear", [IMAGES, FINE, MIDDLE]).any()
