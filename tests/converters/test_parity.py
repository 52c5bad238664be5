from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxray.converters import TensorSpec, TwinError, open_model, operators
from onnxray.converters.parity import FLOAT, QUANTIZED, Parity, compare, random_inputs
from torch import Tensor

Build = Callable[..., Path]
X = np.random.default_rng(2).random((9, 1, 4, 4), dtype=np.float32)

LOGITS = np.array([[1, 0, 0.4], [0, 1, 0.3], [0.2, 0.3, 1]], np.float32)


def spoil(monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor]) -> None:
    """Let the twin's MatMul return something else than what it computes."""
    operator = operators.find("", "MatMul", 17)
    assert operator
    wrong = replace(operator, function=lambda a, b: change(torch.matmul(a, b)))
    monkeypatch.setitem(operators._TABLE, ("", "MatMul"), {1: wrong})


def test_a_faithful_twin_is_accepted_and_says_how_close_it_is(linear: Path) -> None:
    model = open_model(linear)
    parity = model.build_twin(X)
    assert parity.relative < 1e-5
    assert (parity.agreement, parity.inputs, parity.tolerance) == (1.0, 32 + 9, 1e-3)


def test_a_twin_that_differs_is_refused_with_the_difference(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda y: y + 0.25 * torch.sin(900 * y))
    model = open_model(linear)
    with pytest.raises(TwinError, match=r"differs from onnxruntime by up to 0\.2\d* on logits of up to"):
        model.build_twin(X)
    with pytest.raises(TwinError, match="build_twin"):
        _ = model.torch


def test_the_first_node_that_differs_is_named(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(
        "(float[N,4] x) => (float[N,3] y) { a = Relu(x)  c = MatMul(a, w)  d = Relu(c)  y = Neg(d) }", w=(4, 3)
    )
    spoil(monkeypatch, lambda y: y + 0.5)
    with pytest.raises(TwinError, match=r"; the first difference is at MatMul 'c', output 'c' \(0\.\d+\)$"):
        open_model(path).build_twin(np.random.default_rng(0).random((5, 4), dtype=np.float32))


def test_a_twin_that_gives_nan_is_refused(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda y: y * float("nan"))
    with pytest.raises(TwinError, match="by up to nan"):
        open_model(linear).build_twin(X)


def test_a_twin_of_another_width_is_refused(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda y: y[:, :2])
    with pytest.raises(TwinError, match=r"expected logits of shape \(41, 3\), got \(41, 2\)"):
        open_model(linear).build_twin(X)


def test_a_twin_that_fails_is_refused(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda y: y.reshape(7, 3))
    with pytest.raises(TwinError, match=r"fails on inputs \(41, 1, 4, 4\)"):
        open_model(linear).build_twin(X)


def test_the_class_is_compared_with_the_original_file(build: Build) -> None:
    # Over the pairs of (N, 2, 2) this softmax is not monotone in the flat scores: what was taken for a head is none.
    path = build(
        """(float[N,4] x) => (float[N,4] y) {
            z = MatMul(x, w)  p = Reshape(z, pairs)  s = Softmax<axis = -1>(p)  y = Flatten(s) }""",
        w=np.eye(4, dtype=np.float32)[::-1].copy() * 3,
        pairs=np.array([0, 2, 2], np.int64),
    )
    with pytest.raises(TwinError, match=r"agrees on the class of \d\d\.\d% of"):
        open_model(path).build_twin(np.random.default_rng(0).random((50, 4), dtype=np.float32))


def test_ties_of_the_original_do_not_count_as_disagreement() -> None:
    logits = np.array([[40.0, 60.0], [3.0, 1.0], [2.0, 2.0000001]], np.float32)
    saturated = np.array([[1.0, 1.0], [0.9, 0.7], [0.8, 0.8]], np.float32)
    parity = compare("f", lambda x: logits, lambda x: logits, lambda x: saturated, np.zeros((3, 2)), FLOAT)
    assert parity.agreement == 1
    turned = saturated[:, ::-1]
    with pytest.raises(TwinError, match=r"66\.7% of 3 inputs"):
        compare("f", lambda x: logits, lambda x: logits, lambda x: turned, np.zeros((3, 2)), FLOAT)


def shifted(by: float) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    return lambda x: LOGITS + np.array([by, 0, 0], np.float32)


def test_a_twin_may_be_as_far_as_the_judge_moves_itself_where_it_rounds() -> None:
    parity = compare("f", shifted(0.14), shifted(0), shifted(0), LOGITS, QUANTIZED, 0, shifted(0.1))
    assert (parity.relative, parity.moved, parity.tolerance) == pytest.approx((0.14, 0.1, 0.15), abs=1e-3)
    for twin, plain in [(0.16, 0.1), (0.26, 0.9), (0.06, 0.0)]:  # beyond the slack, the limit, what passes at all
        with pytest.raises(TwinError, match="differs from onnxruntime"):
            compare("f", shifted(twin), shifted(0), shifted(0), LOGITS, QUANTIZED, 0, shifted(plain))


def test_a_twin_of_a_graph_that_rounds_may_be_as_far_as_a_millionth_of_its_input_moves_the_judge() -> None:
    def rounds(x: NDArray[Any]) -> NDArray[np.float32]:
        return LOGITS + np.where(x[:, :1] == LOGITS[:, :1], 0.0, 0.1).astype(np.float32)

    parity = compare("f", shifted(0.14), rounds, shifted(0), LOGITS, QUANTIZED, 0, shifted(0))
    assert parity.moved == pytest.approx(0.1, abs=1e-3)
    with pytest.raises(TwinError, match="differs from onnxruntime"):
        compare("f", shifted(0.14), rounds, shifted(0), LOGITS, FLOAT, 0, shifted(0))


@pytest.mark.parametrize(
    ("twin", "plain", "passes"),
    [(0.01, 0.01, True), (0.0, 0.01, True), (0.005, 0.01, False), (0.05, 0.05, False), (0.01, 0.0, False)],
)
def test_an_exact_twin_may_leave_the_judge_only_where_its_optimisations_do(
    twin: float, plain: float, passes: bool
) -> None:
    with nullcontext() if passes else pytest.raises(TwinError, match="differs from onnxruntime"):
        compare("f", shifted(twin), shifted(0), shifted(0), LOGITS, FLOAT, 0, shifted(plain))


def test_real_inputs_are_held_to_what_the_judge_moves_on_them() -> None:
    noise = np.concatenate([LOGITS, LOGITS])
    less = noise - np.float32(0.1)
    plain = np.concatenate([less[:3], LOGITS])  # moves on random inputs only
    with pytest.raises(TwinError, match=r"allowed 0\.05 of that"):
        compare("f", lambda x: less, lambda x: noise, lambda x: noise, noise, QUANTIZED, 3, lambda x: plain)


def test_optimisations_of_onnxruntime_that_change_the_answer_are_told(build: Build) -> None:
    """It moves the zeros of a Pad into the MaxPool behind, which pads with minus infinity."""
    path = build(
        """(float[N,2,6,6] x) => (float[N,3] y) {
            n = Neg(x)  p = Pad(n, pads)  m = MaxPool<kernel_shape = [3, 3], strides = [2, 2]>(p)
            f = Flatten(m)  y = MatMul(f, w) }""",
        w=(18, 3),
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
    )
    inputs = np.random.default_rng(0).random((5, 2, 6, 6), dtype=np.float32) + 1
    try:
        open_model(path).build_twin(inputs)
    except TwinError as error:
        assert "agrees with onnxruntime without graph optimisations, which alone move the logits by" in str(error)  # noqa: PT017
    else:
        pytest.skip("this version of onnxruntime does not make that mistake")


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("r = Sign(x)", "gradient at its input is zero"),
        ("b = Greater(x, c)  r = Cast<to = 1>(b)", "no gradient reaches its input"),
        ("a = Abs(x)  r = Sqrt(a)", "zero or not finite"),
    ],
)
def test_a_model_without_gradient_has_no_twin(build: Build, nodes: str, words: str) -> None:
    path = build(f"(float[N,4] x) => (float[N,3] y) {{ {nodes}  y = MatMul(r, w) }}", w=(4, 3), c=(4,))
    with pytest.raises(TwinError, match=words):
        open_model(path).build_twin(np.zeros((1, 4), np.float32))


def test_random_inputs_are_seeded_and_fit_the_dtype() -> None:
    spec = TensorSpec("x", (None, 3), "float32")
    np.testing.assert_array_equal(random_inputs(spec, (3,)), random_inputs(spec, (3,)))
    bytes_ = random_inputs(TensorSpec("x", (None, 3), "uint8"), (3,))
    assert bytes_.min() >= 0
    assert bytes_.max() <= 255
    np.testing.assert_array_equal(bytes_, bytes_.astype(np.uint8))


def test_relative_of_a_network_that_gives_zero() -> None:
    assert Parity(0.5, 0.0, 1.0, 1, 1e-3).relative == 0.5


def test_twin_is_frozen_and_in_evaluation_mode(linear: Path) -> None:
    model = open_model(linear)
    model.build_twin(X)
    twin = model.torch
    assert not any(module.training for module in twin.modules())
    assert not any(parameter.requires_grad for parameter in twin.parameters())
