"""Outputs other than plain scores: labels, maps, one logit, several outputs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxray.converters import ModelError, NotAClassifier, open_model

Build = Callable[..., Path]
X = np.random.default_rng(0).standard_normal((6, 4), dtype=np.float32)


def same_classes(path: Path, scores: str | None = None) -> None:
    """The twin is built, and names the classes that the original file names."""
    model = open_model(path, scores=scores)
    assert model.build_twin(X).agreement == 1
    np.testing.assert_array_equal(model.torch.scores(X).argmax(1), model.predict(X))  # type: ignore[operator]


def test_a_label_is_read_as_one_hot_scores(build: Build) -> None:
    path = build(
        "(float[N,4] x) => (int64[N] y) { z = MatMul(x, w)  y = ArgMax<axis = -1, keepdims = 0>(z) }", w=(4, 3)
    )
    model = open_model(path)
    assert (model.classes, model.facts.head) == (3, ("ArgMax",))
    assert (model.run(X).sum(1) == 1).all()
    same_classes(path)


@pytest.mark.parametrize(("tail", "scores"), [("y = Sigmoid(z)", [0.5, 0.5]), ("y = Identity(z)", [0, 0])])
def test_one_logit_is_read_as_two_classes(build: Build, tail: str, scores: list[float]) -> None:
    path = build(f"(float[N,4] x) => (float[N,1] y) {{ z = MatMul(x, w)  {tail} }}", w=(4, 1))
    model = open_model(path)
    assert model.classes == 2
    np.testing.assert_array_equal(model.run(np.zeros((1, 4), np.float32)), [scores])
    assert set(model.predict(X)) == {0, 1}
    same_classes(path)


@pytest.mark.parametrize(
    ("declared", "width", "tail"), [(2, 1, "Identity"), (2, 1, "Sigmoid"), (1, 2, "Identity"), (1, 2, "Softmax")]
)
def test_the_width_that_is_there_counts(build: Build, declared: int, width: int, tail: str) -> None:
    """skl2onnx writes so for a RidgeClassifier of two classes."""
    path = build(
        f"(float[N,4] x) => (float[N,{declared}] y) {{ z = MatMul(x, w)  g = Gather<axis = 1>(z, i)  y = {tail}(g) }}",
        w=(4, 2),
        i=np.arange(width),
    )
    model = open_model(path)
    assert model.run(X).shape == (6, 2)
    assert set(model.predict(X)) == {0, 1}
    same_classes(path)


def test_more_scores_than_declared_are_told(build: Build) -> None:
    path = build(
        "(float[N,4] x) => (float[N,1] y) { z = MatMul(x, w)  y = Gather<axis = 1>(z, i) }", w=(4, 5), i=np.arange(5)
    )
    with pytest.raises(ModelError, match="expected 2 scores a row, got 5"):
        open_model(path).run(X)


def test_the_scores_beside_a_label_are_chosen(build: Build) -> None:
    path = build(
        "(float[N,4] x) => (int64[N] label, float[N,3] p) "
        "{ z = MatMul(x, w)  p = Softmax(z)  label = ArgMax<axis = 1, keepdims = 0>(p) }",
        w=(4, 3),
    )
    model = open_model(path)
    assert (model.facts.output.name, model.facts.head) == ("p", ("Softmax",))
    same_classes(path)


def test_several_scores_have_to_be_named(build: Build) -> None:
    path = build(
        "(float[N,4] x) => (float[N,3] a, float[N,5] b) { a = MatMul(x, w)  b = MatMul(x, v) }", w=(4, 3), v=(4, 5)
    )
    with pytest.raises(NotAClassifier, match=r"\(a, b\); say which holds them with --scores NAME"):
        open_model(path)
    assert open_model(path, scores="b").classes == 5
    same_classes(path, "a")
    with pytest.raises(NotAClassifier, match="there is no output 'c'; its outputs are a, b"):
        open_model(path, scores="c")


@pytest.mark.parametrize("keys", [{"classlabels_strings": ["cat", "dog", "ant"]}, {"classlabels_int64s": [7, 3, 5]}])
def test_maps_are_read_in_the_order_of_the_labels(tmp_path: Path, keys: dict[str, list[object]]) -> None:
    label = TensorProto.STRING if "classlabels_strings" in keys else TensorProto.INT64
    weight = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["p"]),
            helper.make_node("ZipMap", ["p"], ["maps"], domain="ai.onnx.ml", **keys),  # type: ignore[arg-type]
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
        [helper.make_value_info("maps", helper.make_sequence_type_proto(
            helper.make_map_type_proto(label, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        ))],
        [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    path = tmp_path / "maps.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    model = open_model(path)
    assert (model.classes, model.facts.head) == (3, ("Softmax", "ZipMap"))
    np.testing.assert_array_equal(model.predict(X), (X @ weight).argmax(1))
    same_classes(path)


def test_a_batch_fixed_inside_is_found(build: Build) -> None:
    path = build(
        "(float[N,2,2] x) => (float[N,3] y) { f = Reshape(x, shape)  a = Add(f, one)  y = MatMul(a, w) }",
        shape=np.array([1, 4], np.int64),
        one=(1, 4),
        w=(4, 3),
    )
    model = open_model(path)
    x = X.reshape(6, 2, 2)
    assert model.run(x).shape == (6, 3)
    assert model.build_twin(x).agreement == 1
