"""Convolutions and products of quantised tensors against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import ValueInfoProto, helper, numpy_helper
from onnxray.converters.dtypes import tensor_of
from onnxray.converters.operators.quantized_linear import conv_integer, matmul_integer, qlinear_conv
from onnxray.converters.to_torch import network_of

Array = NDArray[Any]
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (2, 6, 7, 7), np.uint8)
FINE, COARSE, MIDDLE = np.float32(0.021), np.float32(0.37), np.uint8(120)


def difference(name: str, inputs: list[Any], opset: int = 13, **attributes: Any) -> Array:
    """What onnxruntime says minus what the twin says."""
    feeds = {f"i{i}": np.asarray(v) for i, v in enumerate(inputs) if v is not None}
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in feeds.items()
    ]
    names = [f"i{i}" if value is not None else "" for i, value in enumerate(inputs)]
    graph = helper.make_graph(
        [helper.make_node(name, names, ["y"], **attributes)], "g", infos, [ValueInfoProto(name="y")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, feeds)[0].astype(np.float64)
    got = network_of(model)(*[tensor_of(numpy_helper.from_array(v)) for v in feeds.values()])[0]
    assert got.shape == expected.shape
    result: Array = got.double().numpy() - expected
    return result


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize(
    ("group", "attributes"),
    [
        (1, {"pads": [1, 0, 1, 2]}),
        (2, {"strides": [2, 1]}),
        (6, {"dilations": [2, 2]}),
        (1, {"auto_pad": "SAME_UPPER"}),
    ],
)
def test_a_convolution_differs_by_one_step_at_most_and_hardly_ever(kind: Any, group: int, attributes: Any) -> None:
    limits = np.iinfo(kind)
    kernel = RNG.integers(limits.min, limits.max, (6, 6 // group, 3, 3)).astype(kind)
    zero = np.zeros(6, kind) if kind is np.int8 else np.array(130, kind)
    scales = RNG.uniform(0.001, 0.002, 6).astype(np.float32) if kind is np.int8 else np.array(0.0013, np.float32)
    inputs = [X, FINE, MIDDLE, kernel, scales, zero, np.float32(0.1), MIDDLE, RNG.integers(-9999, 9999, 6, np.int32)]
    wrong = difference("QLinearConv", inputs, group=group, **attributes)
    assert np.abs(wrong).max() <= 1
    assert (wrong != 0).mean() < 0.01


def test_a_convolution_of_integers_is_exact() -> None:
    kernel = RNG.integers(0, 256, (4, 6, 3, 3), np.uint8)
    assert not difference("ConvInteger", [X, kernel, MIDDLE, np.uint8(7)], pads=[1, 1, 1, 1]).any()
    assert not difference("ConvInteger", [X, kernel]).any()


@pytest.mark.parametrize("shape", [(3, 7), (2, 3, 7)])
def test_a_product_of_integers_is_exact(shape: tuple[int, ...]) -> None:
    a, b = RNG.integers(0, 256, shape, np.uint8), RNG.integers(-128, 128, (7, 5), np.int8)
    assert not difference("MatMulInteger", [a, b, MIDDLE, np.int8(3)]).any()
    assert not difference("MatMulInteger", [a, b, None, RNG.integers(-9, 9, 5, np.int8)]).any()


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("opset", [10, 13])
def test_a_product_is_quantised(by_column: bool, opset: int) -> None:
    a, b = RNG.integers(0, 256, (4, 7), np.uint8), RNG.integers(-128, 128, (7, 5), np.int8)
    size = (5,) if by_column else ()
    scales, zeros = RNG.uniform(0.01, 0.02, size).astype(np.float32), RNG.integers(-9, 9, size, np.int8)
    wrong = difference("QLinearMatMul", [a, FINE, MIDDLE, b, scales, zeros, COARSE, MIDDLE], opset)
    assert np.abs(wrong).max() <= 1
    assert (wrong != 0).mean() < 0.1


def test_zero_points_by_row() -> None:
    a, b = torch.tensor([[4, 5], [6, 7]], dtype=torch.uint8), torch.eye(2, dtype=torch.int8)
    zeros = torch.tensor([4, 6], dtype=torch.uint8)
    torch.testing.assert_close(matmul_integer(a, b, zeros), torch.tensor([[0.0, 1.0], [0.0, 1.0]]))


def test_the_gradient_is_that_of_the_real_convolution() -> None:
    x = torch.full((1, 1, 3, 3), 9.0).requires_grad_()
    kernel, zero = torch.full((1, 1, 3, 3), 4, dtype=torch.int8), torch.tensor(0, dtype=torch.int8)
    scale = torch.tensor(0.5)
    qlinear_conv(x, scale, zero, kernel, scale, zero, torch.tensor(10.0), zero).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.full_like(x, 4 * 0.5 * 0.5 / 10))
    whole = torch.randn(1, 1, 4, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: conv_integer(v, kernel.double(), zero), whole)
