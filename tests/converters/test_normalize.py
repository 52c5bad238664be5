from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto
from onnx.reference import ReferenceEvaluator
from onnxray.converters import TensorSpec, open_model, walk
from onnxray.converters.answers import Answer
from onnxray.converters.dtypes import tensor_of
from onnxray.converters.free_batch import free_batch
from onnxray.converters.normalize import PASSES, drop_unused, inline_functions, lift_constants, normalize, strip_head
from onnxray.converters.runtime import Session
from onnxray.converters.signature import input_spec
from onnxray.converters.to_torch import network_of

Build = Callable[..., Path]


def scores(model: ModelProto, x: np.ndarray) -> np.ndarray:
    answer = Answer(TensorSpec(model.graph.output[0].name, (), "float32"))
    return Session(model.SerializeToString(), input_spec(model.graph, "test"), answer, "test").run(x)


def exact_scores(model: ModelProto, x: np.ndarray) -> np.ndarray:
    """onnxruntime computes with int8 weights in int8; ONNX's own reference does not."""
    return np.array(ReferenceEvaluator(model).run(None, {"x": x}))


def operators(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_no_pass_changes_its_argument(build: Build) -> None:
    path = build(
        """(float[1,4] x) => (float[1,3] y) {
            shape = Constant <value = int64[2] {1, 4}> ()  f = Reshape(x, shape)
            v = Transpose(w)  z = MatMul(f, v)  y = Softmax(z) }""",
        w=(3, 4),
    )
    model = onnx.load(path)
    before = model.SerializeToString(deterministic=True)
    for step in PASSES:
        step(model)
    assert model.SerializeToString(deterministic=True) == before
    assert operators(normalize(model, "y")) == ["Reshape", "Transpose", "MatMul"]


def test_strip_head_ends_at_the_logits(build: Build) -> None:
    path = build("(float[N,4] x) => (float[N,3] y) { z = MatMul(x, w)  s = Softmax(z)  y = Identity(s) }", w=(4, 3))
    x = np.random.default_rng(0).standard_normal((5, 4), dtype=np.float32)
    model = onnx.load(path)
    stripped = strip_head(model, "y")
    assert operators(stripped) == ["MatMul"]
    z = scores(stripped, x)
    np.testing.assert_allclose(np.exp(z) / np.exp(z).sum(1, keepdims=True), scores(model, x), atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "weight"),
    [
        ("v = Transpose<perm = [1, 0]>(w)", np.arange(12, dtype=np.float32).reshape(3, 4)),
        ("v = Cast<to = 1>(w)", np.arange(12, dtype=np.int8).reshape(4, 3)),
        ("u = Identity(w)  v = Identity(u)", np.arange(12, dtype=np.float32).reshape(4, 3)),
        (
            "u = DequantizeLinear<axis = 0>(w, scale, zero)  v = Transpose(u)",
            np.arange(12, dtype=np.uint8).reshape(3, 4),
        ),
        ("v = DequantizeLinear(w, one, origin)", np.arange(12, dtype=np.int8).reshape(4, 3)),
        ("v = DequantizeLinear(w, one)", np.arange(12, dtype=np.int32).reshape(4, 3)),
    ],
)
def test_weights_in_disguise_are_computed(build: Build, nodes: str, weight: np.ndarray) -> None:
    path = build(
        f"(float[N,4] x) => (float[N,3] y) {{ {nodes}  y = MatMul(x, v) }}",
        w=weight,
        scale=np.array([0.5, 1.5, 2.0], np.float32),
        zero=np.array([1, 2, 3], np.uint8),
        one=np.array(0.25, np.float32),
        origin=np.array(-3, np.int8),
        opset=21,
    )
    model = onnx.load(path)
    network = network_of(model)
    assert len([node for node in network.graph.nodes if node.op == "call_function"]) == 1
    x = np.random.default_rng(0).standard_normal((5, 4), dtype=np.float32)
    np.testing.assert_allclose(network(torch.from_numpy(x)), exact_scores(model, x), rtol=1e-5)


def test_what_depends_on_the_input_is_not_folded(build: Build) -> None:
    path = build("(float[N,4] x) => (float[N,4] y) { a = Identity(x)  b = Cast<to = 1>(a)  y = Add(b, w) }", w=(4,))
    network = network_of(onnx.load(path))
    assert len([node for node in network.graph.nodes if node.op == "call_function"]) == 3


def test_functions_are_put_in_place_of_their_calls() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["": 17, "own": 1]> net (float[N,4] x) => (float[N,4] y) { y = own.twice(x) }
        <domain: "own", opset_import: ["": 17]> twice (a) => (b) { b = Add(a, a) }""")
    inlined = inline_functions(model)
    assert operators(inlined) == ["Add"] and operators(model) == ["twice"]  # noqa: PT018


def test_lift_constants_keeps_the_value(build: Build) -> None:
    path = build("(float[N,2] x) => (float[N,2] y) { k = Constant <value = float[2] {2, 3}> ()  y = Mul(x, k) }")
    lifted = lift_constants(onnx.load(path))
    assert operators(lifted) == ["Mul"]
    np.testing.assert_array_equal(scores(lifted, np.ones((1, 2), np.float32)), [[2, 3]])


def test_drop_unused(build: Build) -> None:
    path = build("(float[N,4] x) => (float[N,3] y) { y = MatMul(x, w)  d = Add(x, v) }", w=(4, 3), v=(4,))
    left = drop_unused(onnx.load(path))
    assert operators(left) == ["MatMul"]
    assert [tensor.name for tensor in left.graph.initializer] == ["w"]


def test_what_leads_nowhere_does_not_stop_the_twin(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(
        """(float[N,4] x, float[N,4] z) => (float[N,3] y) {
            y = MatMul(x, w)  d = Add(x, z)  e = StringNormalizer<locale = "xx">(words)  f = Conv(v, v) }""",
        w=(4, 3),
        v=(4,),
        words=np.array(["a"], object),
    )
    read = list[str]()

    def reading(proto: TensorProto) -> torch.Tensor:
        read.append(proto.name)
        return tensor_of(proto)

    monkeypatch.setattr(walk, "tensor_of", reading)
    network = network_of(onnx.load(path))  # as it is: both inputs stay
    assert [node.name for node in network.graph.nodes if node.op == "placeholder"] == ["x", "z"]
    assert read == ["w"]
    normalized = normalize(onnx.load(path), "y")
    assert operators(normalized) == ["MatMul"]
    assert [value.name for value in normalized.graph.input] == ["x"]


def test_a_batch_written_into_reshape_is_freed(build: Build) -> None:
    path = build(
        "(float[1,2,2] x) => (float[1,3] y) { f = Reshape(x, shape)  y = MatMul(f, w) }",
        shape=np.array([1, 4], np.int64),
        w=(4, 3),
    )
    x = np.random.default_rng(0).standard_normal((9, 2, 2), dtype=np.float32)
    model = onnx.load(path)
    freed = free_batch(model)
    assert input_spec(freed.graph, "test").shape == (None, 2, 2)
    np.testing.assert_allclose(scores(freed, x), scores(model, x), atol=1e-6)


@pytest.mark.parametrize(
    "nodes",
    [
        "m = ReduceMean<axes = [0], keepdims = 1>(x)  a = Sub(x, m)  b = Add(a, x)  y = MatMul(b, w)",  # rows mix
        "a = Reshape(x, flat)  b = Transpose(a)  y = MatMul(b, w)",  # only one row has the shape (4, 1)
    ],
)
def test_a_batch_that_matters_is_not_freed(build: Build, nodes: str) -> None:
    path = build(f"(float[1,4] x) => (float[1,3] y) {{ {nodes} }}", w=(4, 3), flat=np.array([4, 1], np.int64))
    model = onnx.load(path)
    assert input_spec(free_batch(model).graph, "test").shape == (1, 4)
    x = np.random.default_rng(0).standard_normal((5, 4), dtype=np.float32)
    opened = open_model(path)
    assert opened.build_twin(x).agreement == 1  # still has a twin, fed row by row
    assert opened.torch.batch == 1
