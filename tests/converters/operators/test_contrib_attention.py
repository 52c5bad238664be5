"""onnxruntime's attention operators against onnxruntime itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import ValueInfoProto, helper, numpy_helper
from onnxray.converters.dtypes import tensor_of
from onnxray.converters.operators import find
from onnxray.converters.to_torch import network_of

Array = NDArray[Any]
RNG = np.random.default_rng(0)


def normal(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def check(name: str, inputs: list[Any], outputs: str = "y", **attributes: Any) -> None:
    """Hold the twin's values against onnxruntime's; `outputs` is one letter for each."""
    feeds = {f"i{i}": np.asarray(v) for i, v in enumerate(inputs) if v is not None}
    kinds = {n: (helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in feeds.items()}
    names = [f"i{i}" if value is not None else "" for i, value in enumerate(inputs)]
    one = helper.make_node(name, names, list(outputs), domain="com.microsoft", **attributes)
    infos = [helper.make_tensor_value_info(n, *kind) for n, kind in kinds.items()]
    graph = helper.make_graph([one], "g", infos, [ValueInfoProto(name=o) for o in outputs])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = network_of(model)(*[tensor_of(numpy_helper.from_array(v)) for v in feeds.values()])
    for mine, theirs in zip(got, session.run(None, feeds), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-4, atol=1e-4)


MASKS = {
    "none": None,
    "keys": np.array([[1, 1, 1, 0], [1, 0, 1, 1]], np.int32),
    "lengths": np.array([3, 4], np.int32),
    "ends and starts": np.array([3, 4, 0, 1], np.int32),
    "pairs": np.tril(np.ones((2, 4, 4), np.int32)),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("causal", [0, 1])
def test_self_attention(mask: str, causal: int) -> None:
    x, w, b = normal(2, 4, 6), normal(6, 24), normal(24)
    check("Attention", [x, w, b, MASKS[mask]], num_heads=2, unidirectional=causal)


def test_self_attention_with_unequal_sizes_a_scale_a_bias_and_a_past() -> None:
    x = normal(2, 4, 6)
    check("Attention", [x, normal(6, 20), normal(20)], num_heads=2, qkv_hidden_sizes=[8, 8, 4], scale=0.2)
    past = normal(2, 2, 2, 3, 4)
    bias = normal(2, 2, 4, 4)
    check("Attention", [x, normal(6, 24), normal(24), None, None, bias], num_heads=2)
    check("Attention", [x, normal(6, 24), normal(24), None, past], "yp", num_heads=2, unidirectional=1)


def test_quantised_self_attention() -> None:
    x, w = RNG.integers(0, 256, (2, 4, 8), np.uint8), RNG.integers(-128, 128, (8, 24), np.int8)
    scales = [np.float32(0.02), np.float32(0.01)]
    inputs = [x, w, normal(24), *scales, None, np.uint8(120), np.int8(0)]
    check("QAttention", inputs, num_heads=2)


@pytest.mark.parametrize("mask", ["none", "keys", "lengths", "pairs"])
@pytest.mark.parametrize("causal", [0, 1])
def test_attention_of_projections(mask: str, causal: int) -> None:
    q, k, v, b = normal(2, 4, 8), normal(2, 4, 8), normal(2, 4, 8), normal(24)
    check("MultiHeadAttention", [q, k, v, b, MASKS[mask]], num_heads=2, unidirectional=causal)


def test_attention_to_another_sequence_with_a_past_and_a_bias() -> None:
    q, k, v = normal(2, 4, 8), normal(2, 2, 5, 4), normal(2, 2, 5, 4)
    check("MultiHeadAttention", [q, k, v], num_heads=2, scale=0.3)
    check("MultiHeadAttention", [q, normal(2, 5, 8), normal(2, 5, 8), None, None, normal(1, 2, 4, 5)], num_heads=2)
    past = [normal(2, 2, 3, 4), normal(2, 2, 3, 4)]
    whole = [q, normal(2, 4, 8), normal(2, 4, 8), None, None, None, *past]
    check("MultiHeadAttention", whole, "ykv", num_heads=2)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("positions", [np.array([2]), np.array([[0, 1, 2, 3], [5, 4, 3, 2]])])
def test_turning_by_position(interleaved: int, positions: Array) -> None:
    angles = RNG.uniform(0, 6, (8, 4)).astype(np.float32)
    caches = [positions, np.cos(angles), np.sin(angles)]
    check("RotaryEmbedding", [normal(2, 4, 16), *caches], interleaved=interleaved)
    check("RotaryEmbedding", [normal(2, 2, 4, 8), *caches], interleaved=interleaved)


def test_uses_for_generation_are_refused() -> None:
    attention, multi = find("com.microsoft", "Attention", 1), find("com.microsoft", "MultiHeadAttention", 1)
    assert attention is not None
    assert multi is not None
    x = torch.zeros(1, 2, 4)
    with pytest.raises(NotImplementedError, match="do_rotary"):
        attention.function(x, torch.zeros(4, 12), num_heads=2, do_rotary=1)
    with pytest.raises(NotImplementedError, match="shared buffer"):
        multi.function(x, x, x, past_sequence_length=torch.zeros(1), num_heads=2)
    with pytest.raises(NotImplementedError, match="query alone"):
        multi.function(x, num_heads=2)


def test_the_gradient_is_that_of_the_values() -> None:
    operator = find("com.microsoft", "Attention", 1)
    assert operator is not None
    x, w, b = (torch.from_numpy(RNG.normal(size=shape)).requires_grad_() for shape in ((1, 3, 4), (4, 12), (12,)))
    mask = torch.tensor([[1, 1, 0]])
    assert torch.autograd.gradcheck(lambda *v: operator.function(*v, mask, num_heads=2)[0], (x, w, b))
