"""Activations and softmax: old versions and every parameter against onnxruntime, gradients by finite differences."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators import activation, softmax

RNG = np.random.default_rng(1)
X = np.array(3 * RNG.standard_normal((2, 3, 4, 5)), np.float32)


@pytest.mark.parametrize("name", ["Relu", "Sigmoid", "Tanh", "Softplus", "Softsign"])
@pytest.mark.parametrize("opset", [7, 14, 21])
def test_plain_activations_agree(agree: Any, name: str, opset: int) -> None:
    agree(f"y = {name}(a)", X, opset=opset)


@pytest.mark.parametrize(
    "node",
    [
        "LeakyRelu", "LeakyRelu<alpha = 0.3>", "Elu", "Elu<alpha = 2.0>", "Selu", "Selu<alpha = 1.5, gamma = 2.0>",
        "HardSigmoid", "HardSigmoid<alpha = 0.16666667, beta = 0.5>", "HardSigmoid<alpha = 0.3, beta = 0.1>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("opset", [7, 17])
def test_parameters_agree(agree: Any, node: str, opset: int) -> None:
    agree(f"y = {node}(a)", X, opset=opset)


@pytest.mark.parametrize(
    ("node", "opset"),
    [
        ("HardSwish", 14), ("Celu<alpha = 2.0>", 12), ("Mish", 18), ("Gelu", 20), ('Gelu<approximate = "tanh">', 20),
        ("ThresholdedRelu<alpha = 0.7>", 10), ("Shrink<bias = 0.3, lambd = 0.6>", 9),
    ],
)  # fmt: skip
def test_newer_activations_agree(agree: Any, node: str, opset: int) -> None:
    agree(f"y = {node}(a)", X, opset=opset)


def test_swish_and_its_gated_form(compute: Any) -> None:
    sigmoid = 1 / (1 + np.exp(-2 * X))
    np.testing.assert_allclose(compute("y = Swish<alpha = 2.0>(a)", X, opset=24)[0].numpy(), X * sigmoid, rtol=1e-5)
    (y,) = compute("y = Swish(a)", X, opset=24)
    np.testing.assert_allclose(y.numpy(), X / (1 + np.exp(-X)), rtol=1e-5)
    a = torch.from_numpy(X)
    np.testing.assert_allclose(activation.swiglu(a, a + 1, alpha=2.0).numpy(), X * sigmoid * (X + 1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1), (1,), (5,), (4, 1), (3, 4, 5), ()])
@pytest.mark.parametrize("constants", ["", "b"])
def test_slopes_broadcast(agree: Any, shape: tuple[int, ...], constants: str) -> None:
    agree("y = PRelu(a, b)", X, np.asarray(RNG.random(shape), np.float32), constants=constants, opset=16)


def test_slopes_before_opset_7_are_by_channel(compute: Any) -> None:
    slope = np.array([0.1, 0.2, 0.3], np.float32)
    (y,) = compute("y = PRelu(a, b)", X, slope, opset=6)
    np.testing.assert_allclose(y.numpy(), np.where(X < 0, X * slope[:, None, None], X), rtol=1e-6)


def test_selu_of_opset_1_has_constants_of_its_own(compute: Any) -> None:
    (old,), (new,) = (compute("y = Selu(a)", np.array([-9], np.float32), opset=opset) for opset in (1, 6))
    assert old.item() == pytest.approx(-1.0507 * 1.6732 * (1 - np.exp(-9)), rel=1e-6)
    assert old.item() != new.item()


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(("opset", "axis"), [(7, 0), (7, 1), (7, 3), (12, -2), (13, 1), (13, -1), (13, 0)])
def test_softmax_over_one_axis_or_the_rest(agree: Any, name: str, opset: int, axis: int) -> None:
    agree(f"y = {name}<axis = {axis}>(a)", X, opset=opset)


@pytest.mark.parametrize("opset", [11, 13])
def test_default_axes_differ_between_versions(agree: Any, opset: int) -> None:
    (y,) = agree("y = Softmax(a)", X, opset=opset)
    assert y.sum().item() == pytest.approx(2 if opset == 11 else 2 * 3 * 4, rel=1e-5)


def test_hardmax_takes_the_first_of_equal_values(agree: Any) -> None:
    (y,) = agree("y = Hardmax(a)", np.array([[1, 2, 2], [0, 0, 0]], np.float32), opset=13)
    assert y.tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("opset", [7, 10])
def test_thresholds_stop_nan(agree: Any, opset: int) -> None:
    agree("y = ThresholdedRelu(a)", np.array([np.nan, np.inf, 1, 2], np.float32), opset=opset)


def test_an_unknown_approximation_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="'sigmoid'"):
        activation.gelu(torch.zeros(1), approximate="sigmoid")


@pytest.mark.parametrize(
    "function",
    [
        activation.leaky_relu, partial(activation.selu, alpha=1.5), activation.hard_sigmoid, activation.hard_swish,
        activation.shrink, activation.thresholded_relu, partial(activation.swish, alpha=2.0), activation.mish,
        partial(softmax.softmax_1, axis=1), partial(activation.prelu, slope=torch.rand(3, 1, dtype=torch.double)),
        partial(activation.prelu, slope=torch.rand(1, 4, dtype=torch.double)),
    ],
    ids=str,
)  # fmt: skip
def test_gradients_are_those_of_finite_differences(function: Any) -> None:
    x = torch.linspace(-2.3, 2.4, 24, dtype=torch.double).reshape(2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(function, (x,))
