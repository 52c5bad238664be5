from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxray.converters import ModelError, NotAClassifier, TensorSpec, open_model
from onnxray.converters.twin import Twin

Build = Callable[..., Path]

NO_CLASSIFIER = {
    "two inputs": ("(float[N,3] a, float[N,3] b) => (float[N,3] y) { y = Add(a, b) }", r"one input, got 2 \(a, b\)"),
    "no input": ("() => (float[1,3] y) { y = Constant <value = float[1,3] {1, 2, 3}> () }", "one input, got 0"),
    "two outputs": (
        "(float[N,3] x) => (float[N,3] y, float[N,3] z) { y = Relu(x)  z = Neg(y) }",
        r"one output with scores, got 2 \(y, z\); say which holds them with --scores NAME",
    ),
    "numbers that no ArgMax gave": (
        "(float[N,3] x) => (int64[N] y) { s = ReduceSum<keepdims = 0>(x, axes)  y = Cast<to = 7>(s) }",
        r"\(N, K\), got \(.*\)",
    ),
    "map": ("(float[N,4,8,8] x) => (float[N,4,8,8] y) { y = Relu(x) }", r"\(N, K\), got \(\?, 4, 8, 8\)"),
    "text input": (
        "(string[N,3] x) => (string[N,3] y) { y = Identity(x) }",
        "'x' to be a tensor of numbers, got string",
    ),
    "truth output": (
        "(float[N,3] x) => (bool[N,3] y) { y = Greater(x, x) }",
        "'y' to be a tensor of numbers, got bool",
    ),
    "no batch": ("(float[3] x) => (float[3] y) { y = Relu(x) }", "rank 2 or more"),
    "huge": ("(float[N,100000,100000] x) => (float[N,3] y) { y = Relu(x) }", "at most 268435456 values"),
}


UNREAD = "(float[N,4] x, float[N,3] r, bool t, int64[2,2] u) => (float[N,3] y, int64[N] label) "
DEAD_BRANCH = "{ y = MatMul(x, w)  s = Add(y, r)  label = ArgMax<axis = 1, keepdims = 0>(s) }"


def test_inputs_that_the_scores_do_not_depend_on_do_not_count(build: Build) -> None:
    model = open_model(build(UNREAD + DEAD_BRANCH, w=(4, 3)))
    assert model.facts.input.name == "x"
    x = np.random.default_rng(0).random((5, 4), dtype=np.float32)
    assert model.build_twin(x).agreement == 1
    assert isinstance(model.torch, Twin)
    assert list(model.torch.tensors) == ["x", "y"]


def test_an_unread_input_without_a_size_is_told(build: Build) -> None:
    model = open_model(build("(float[N,4] x, float[N,M] r) => (float[N,3] y) { y = MatMul(x, w) }", w=(4, 3)))
    with pytest.raises(ModelError, match=r"wants a value for the input 'r' .* shape \(\?, \?\)\), which the scores do"):
        model.run(np.zeros((1, 4), np.float32))


@pytest.mark.parametrize(("text", "words"), NO_CLASSIFIER.values(), ids=NO_CLASSIFIER)
def test_what_is_no_classifier(build: Build, text: str, words: str) -> None:
    path = build(text, axes=np.array([1]))
    with pytest.raises(NotAClassifier, match=words) as caught:
        open_model(path)
    assert str(caught.value).startswith(str(path))


def test_a_sequence_output_is_no_score(build: Build) -> None:
    path = build("(float[N,3] x) => (seq(float[N,3]) y) { y = SequenceConstruct(x) }")
    with pytest.raises(NotAClassifier, match="got sequence"):
        open_model(path)


def test_facts_of_a_plain_classifier(linear: Path) -> None:
    facts = open_model(linear).facts
    assert facts.path == str(linear)
    assert facts.input == TensorSpec("x", (None, 1, 4, 4), "float32")
    assert facts.output == TensorSpec("y", (None, 3), "float32")
    assert (facts.classes, facts.opset, facts.head) == (3, 17, ())


def test_initializers_among_the_inputs_do_not_count(linear: Path) -> None:
    model = onnx.load(linear)
    model.ir_version = 3  # when every initializer was an input as well
    model.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [16, 3]))
    linear.write_bytes(model.SerializeToString())
    assert open_model(linear).facts.input.name == "x"


@pytest.mark.parametrize("output", ["float[N,5,1,1] y", "float[N,1,1,5] y", "float[N,5,1] y"])
def test_axes_of_one_are_squeezed(build: Build, output: str) -> None:
    shape = output[output.index("N,") + 2 : output.index("]")].split(",")
    path = build(
        f"(float[N,5] x) => ({output}) {{ y = Reshape(x, shape) }}", shape=np.array([0, *map(int, shape)], np.int64)
    )
    model = open_model(path)
    x = np.random.default_rng(0).random((3, 5), dtype=np.float32)
    assert model.classes == 5
    np.testing.assert_array_equal(model.run(x), x)


@pytest.mark.parametrize("output", ["float y", "float[N,M] y"])
def test_an_undeclared_output_shape_is_found_by_running(build: Build, output: str) -> None:
    assert open_model(build(f"(float[N,4] x) => ({output}) {{ y = MatMul(x, w) }}", w=(4, 6))).classes == 6


HEADS = {
    "y = Softmax<axis = -1>(z)": ("Softmax",),
    "y = Softmax<axis = 1>(z)": ("Softmax",),
    "y = LogSoftmax<axis = 1>(z)": ("LogSoftmax",),
    "y = Sigmoid(z)": ("Sigmoid",),
    "s = Softmax(z)  y = Identity(s)": ("Softmax", "Identity"),
    "y = Identity(s)  s = Softmax(z)": ("Softmax", "Identity"),
    "t = Softmax(z)  s = Softmax(t)  y = Flatten(s)": ("Softmax", "Softmax", "Flatten"),
    "y = Identity(z)": (),
    "y = Relu(z)": (),
    "s = Softmax(z)  y = Neg(s)": (),
    "y = Softmax<axis = 0>(z)": (),
}


@pytest.mark.parametrize(("tail", "head"), HEADS.items())
def test_the_head_is_found(build: Build, tail: str, head: tuple[str, ...]) -> None:
    path = build(f"(float[N,4] x) => (float[N,3] y) {{ z = MatMul(x, w)  {tail} }}", w=(4, 3))
    assert open_model(path).facts.head == head


def test_a_head_behind_nothing_is_kept(build: Build) -> None:
    assert open_model(build("(float[N,4] x) => (float[N,4] y) { y = Softmax(x) }")).facts.head == ()
