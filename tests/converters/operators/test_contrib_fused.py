"""onnxruntime's fused operators against onnxruntime itself."""

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
from onnxray.converters.operators.contrib_fused import activated
from onnxray.converters.to_torch import network_of

Array = NDArray[Any]
RNG = np.random.default_rng(0)


def normal(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def node(name: str, inputs: list[Any], outputs: str, domain: str, **attributes: Any) -> ModelProto:
    """A model of one node, all inputs fed; `outputs` is one letter for each, "-" for one that is left out."""
    names = [f"i{i}" if value is not None else "" for i, value in enumerate(inputs)]
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype), np.shape(v))
        for n, v in zip(names, inputs, strict=True)
        if v is not None
    ]
    one = helper.make_node(name, names, [o.strip("-") for o in outputs], domain=domain, **attributes)
    graph = helper.make_graph([one], "g", infos, [ValueInfoProto(name=o) for o in outputs if o != "-"])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def check(name: str, inputs: list[Any], outputs: str = "y", domain: str = "com.microsoft", **attributes: Any) -> None:
    """Hold the twin's values against onnxruntime's."""
    model = node(name, inputs, outputs, domain, **attributes)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {f"i{i}": np.asarray(v) for i, v in enumerate(inputs) if v is not None}
    got = network_of(model)(*[tensor_of(numpy_helper.from_array(v)) for v in feeds.values()])
    for mine, theirs in zip(got, session.run(None, feeds), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-4, atol=1e-4)


def test_convolution_with_a_sum_and_an_activation() -> None:
    x, w, b, z = normal(2, 4, 7, 7), normal(6, 4, 3, 3), normal(6), normal(2, 6, 7, 7)
    check("FusedConv", [x, w, b, z], activation="Relu", pads=[1, 1, 1, 1])
    check("FusedConv", [x, w], activation="LeakyRelu", activation_params=[0.3], strides=[2, 2])
    check("FusedConv", [x, w, b], activation="Clip", activation_params=[-0.5, 2.0])
    check("FusedConv", [x, w, b], activation="HardSigmoid", activation_params=[0.1, 0.4])
    check("FusedConv", [x, w, b], activation="Tanh", dilations=[2, 2])


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="fused activation Snake"):
        activated(torch.zeros(1), "Snake", ())


def test_gemm_with_an_activation() -> None:
    a, b, c = normal(3, 5), normal(4, 5), normal(4)
    check("FusedGemm", [a, b, c], transB=1, activation="Relu")
    check("FusedGemm", [a, b], transB=1, activation="LeakyRelu", activation_alpha=0.2, alpha=0.5)
    check("FusedGemm", [a, b], transB=1, activation="Elu", activation_alpha=0.7)


@pytest.mark.parametrize("name", ["FusedMatMul", "TransposeMatMul"])
def test_matmul_of_transposed_matrices(name: str) -> None:
    check(name, [normal(2, 5, 3), normal(2, 4, 5)], transA=1, transB=1, alpha=0.3)
    check(name, [normal(5), normal(2, 4, 5)], transB=1)


def test_matmul_of_transposed_batches() -> None:
    check("FusedMatMul", [normal(3, 2, 5), normal(2, 5, 4)], transBatchA=1)
    check("FusedMatMul", [normal(5, 2, 3), normal(4, 2, 5)], transBatchA=1, transA=1, transBatchB=1, transB=1)


@pytest.mark.parametrize("name", ["Gelu", "FastGelu", "QuickGelu", "Inverse"])
def test_activations(name: str) -> None:
    check(name, [normal(2, 6, 6)])


def test_activations_of_a_sum() -> None:
    check("BiasGelu", [normal(2, 3, 6), normal(6)])
    check("FastGelu", [normal(2, 3, 6), normal(6)])
    check("QuickGelu", [normal(2, 3, 6)], alpha=1.0)


def test_names_that_onnx_took_over_later() -> None:
    check("Trilu", [normal(4, 5), np.array(1)], upper=0)
    check("GatherND", [normal(4, 5), np.array([[1, 2], [0, 4]])])
    check("ExpandDims", [normal(4, 5), np.array(-1, np.int32)])
    check("GridSample", [normal(1, 2, 4, 5), normal(1, 3, 3, 2)], align_corners=1, padding_mode="border")


def test_normalisation_of_a_sum() -> None:
    x, skip, gamma, beta, bias = normal(2, 3, 8), normal(2, 3, 8), normal(8), normal(8), normal(8)
    check("SkipLayerNormalization", [x, skip, gamma, beta, bias], epsilon=1e-5)
    check("SkipLayerNormalization", [x, skip, gamma, None, bias], "y--s")
    check("SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], "y--s", epsilon=1e-5)
    check("SkipSimplifiedLayerNormalization", [x, skip, gamma])
    check("SimplifiedLayerNormalization", [x, gamma], domain="", axis=-1, epsilon=1e-5)


def test_embeddings() -> None:
    ids, kinds = RNG.integers(0, 9, (2, 5), np.int32), RNG.integers(0, 2, (2, 5), np.int32)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
    tables = [normal(9, 8), normal(6, 8), normal(2, 8), normal(8), normal(8)]
    check("EmbedLayerNormalization", [ids, kinds, *tables, mask], "ym", epsilon=1e-5)
    check("EmbedLayerNormalization", [ids, kinds, *tables, mask, ids % 6], "y-s", mask_index_type=0)
    check("EmbedLayerNormalization", [ids, None, *tables[:2], None, *tables[3:]], "ym")


def test_group_normalisation_is_that_of_torch() -> None:
    operator = find("com.microsoft", "GroupNorm", 1)
    assert operator is not None
    x, gamma, beta = torch.from_numpy(normal(2, 3, 3, 8)), torch.from_numpy(normal(8)), torch.from_numpy(normal(8))
    got = operator.function(x, gamma, beta, activation=1, groups=4)
    expected = torch.nn.functional.silu(torch.group_norm(x.movedim(-1, 1), 4, gamma, beta)).movedim(1, -1)
    torch.testing.assert_close(got, expected)


def test_gradients_are_those_of_the_values() -> None:
    for name, shapes in (("BiasGelu", [(2, 6), (6,)]), ("SkipLayerNormalization", [(2, 6), (2, 6), (6,)])):
        operator = find("com.microsoft", name, 1)
        assert operator is not None
        function = operator.function
        inputs = [torch.from_numpy(RNG.normal(size=shape)).requires_grad_() for shape in shapes]
        assert torch.autograd.gradcheck(lambda *v, f=function: f(*v), inputs)
