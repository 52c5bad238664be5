"""Arithmetic against onnxruntime: old broadcasting, whole numbers, bounds, and gradients of rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnxray.converters.operators import elementwise
from onnxray.converters.to_torch import network_of

RNG = np.random.default_rng(1)
FLOATS = np.array([[-2.5, -1.5, -0.5, 0.0], [0.5, 1.5, 2.5, 7.0]], np.float32)


@pytest.mark.parametrize("name", ["Abs", "Neg", "Exp", "Ceil", "Floor", "Reciprocal", "Sqrt", "Log"])
@pytest.mark.parametrize("opset", [7, 13])
def test_unary_operators_agree(agree: Any, name: str, opset: int) -> None:
    agree(f"y = {name}(a)", np.abs(FLOATS) + 0.3 if name in ("Sqrt", "Log") else FLOATS, opset=opset)


def test_halves_are_rounded_to_even(agree: Any) -> None:
    (y,) = agree("y = Round(a)", FLOATS, opset=11)
    assert y.tolist() == [[-2, -2, -0, 0], [0, 2, 2, 7]]


@pytest.mark.parametrize("name", ["Ceil", "Floor", "Round"])
def test_rounding_passes_the_gradient_and_keeps_its_values_exact(name: str, compute: Any) -> None:
    function = {"Ceil": elementwise.ceil, "Floor": elementwise.floor, "Round": elementwise.nearest}[name]
    x = torch.tensor([0.1, -1e-10, 3.7, torch.inf], requires_grad=True)
    y = function(x)
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1, 1, 1]
    assert y.tolist() == {"Ceil": [1, 0, 4, np.inf], "Floor": [0, -1, 3, np.inf], "Round": [0, 0, 4, np.inf]}[name]


@pytest.mark.parametrize("last", ["Reciprocal(d)", "Div(one, d)"])
def test_a_sigmoid_written_out_has_a_gradient_where_it_saturates(build: Any, last: str) -> None:
    path = build(
        f"(float[N,3] x) => (float[N,3] y) {{ n = Neg(x)  e = Exp(n)  d = Add(e, one)  y = {last} }}",
        one=np.array(1, np.float32),
    )
    x = torch.tensor([[-1000.0, -30.0, -1.0], [0.0, 20.0, 1000.0]], requires_grad=True)
    (y,) = network_of(onnx.load(path))(x)
    torch.testing.assert_close(y, torch.sigmoid(x))
    (got,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    torch.testing.assert_close(got, torch.autograd.grad(torch.sigmoid(x).sum(), x)[0])


@pytest.mark.parametrize("opset", [1, 6])
@pytest.mark.parametrize(("name", "expected"), [("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply)])
def test_broadcasting_before_opset_7(compute: Any, opset: int, name: str, expected: Callable[..., Any]) -> None:
    a, b = RNG.random((2, 3, 4, 5), np.float32), RNG.random((3, 4), np.float32)
    (y,) = compute(f"y = {name}<axis = 1, broadcast = 1>(a, b)", a, b, opset=opset)
    np.testing.assert_allclose(y.numpy(), expected(a, b[..., None]), rtol=1e-6)
    (y,) = compute(f"y = {name}<axis = -4, broadcast = 1>(a, b)", a, RNG.random(2, np.float32), opset=opset)
    assert y.shape == a.shape
    (y,) = compute(f"y = {name}<broadcast = 1>(a, b)", a, a[0, 0], opset=opset)
    np.testing.assert_allclose(y.numpy(), expected(a, a[0, 0]), rtol=1e-6)


def test_the_memory_hint_of_opset_1_changes_nothing(compute: Any) -> None:
    (y,) = compute("y = Abs<consumed_inputs = [0]>(a)", FLOATS, opset=1)
    assert np.array_equal(y.numpy(), np.abs(FLOATS))


def test_whole_numbers_are_divided_towards_zero(agree: Any) -> None:
    a, b = np.array([7, -7, 7, -7, 6], np.int32), np.array([2, 2, -2, -2, 3], np.int32)
    (y,) = agree("y = Div(a, b)", a, b)
    assert y.tolist() == [3, -3, -3, 3, 2]


def test_bytes_that_are_carried_as_floats_are_divided_as_bytes_and_pass_a_gradient() -> None:
    x = torch.tensor([7.0, 255.0], requires_grad=True)
    y = elementwise.divide(x, torch.tensor([2, 2], dtype=torch.uint8))
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert y.tolist() == [3, 127]
    assert x.grad is not None
    assert x.grad.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.int8])
@pytest.mark.parametrize("fmod", [0, 1])
def test_remainders_of_whole_numbers(agree: Any, dtype: Any, fmod: int) -> None:
    a, b = np.array([-4, 7, 5, 4, -7, 8], dtype), np.array([2, -3, 8, -2, 3, 5], dtype)
    agree(f"y = Mod<fmod = {fmod}>(a, b)", a, b)


@pytest.mark.parametrize("constants", ["", "b"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.array([[-1.5, 2]], np.float32), np.float32(2)),
        (np.array([[1.5, 2]], np.float32), np.array([0.5, 3], np.int64)),
        (np.array([0.0, 4], np.float32), np.array([0.5], np.float32)),
        (np.array([1, 4], np.float32), np.array([[0.5]], np.float32)),
        (np.array([2, -3], np.int32), np.array([3, 2], np.float32)),
        (np.array([2, -1], np.int64), np.int64(40)),
        (np.array([1, -1], np.int32), np.array([-1], np.int32)),
    ],
)
def test_powers_take_the_type_of_the_base(agree: Any, a: Any, b: Any, constants: str) -> None:
    (y,) = agree("y = Pow(a, b)", a, np.asarray(b), constants=constants)
    assert y.dtype == torch.from_numpy(a).dtype


@pytest.mark.parametrize("name", ["Max", "Min", "Sum", "Mean"])
def test_any_number_of_inputs(agree: Any, name: str) -> None:
    a, b, c = RNG.random((2, 3), np.float32), RNG.random(3, np.float32), np.float32(0.5)
    agree(f"y = {name}(a)", a)
    agree(f"y = {name}(a, b, c)", a, b, np.asarray(c), opset=8)


def test_clip_by_attributes_and_by_inputs(agree: Any, compute: Any) -> None:
    agree("y = Clip<min = -1.0, max = 2.0>(a)", FLOATS, opset=6)
    agree("y = Clip<min = 0.0>(a)", np.array([np.inf, -np.inf, 1], np.float32), opset=10)
    for constants in ("", "b", "c", "bc"):
        agree("y = Clip(a, b, c)", FLOATS, np.asarray(np.float32(-1)), np.asarray(np.float32(2)), constants=constants)
    agree("y = Clip(a)", FLOATS, opset=11)
    agree("y = Clip(a, , b)", FLOATS, np.asarray(np.float32(1)))
    agree(
        "y = Clip(a, b, c)",
        np.array([-9, 0, 9], np.int8),
        np.asarray(np.int8(-5)),
        np.asarray(np.int8(5)),
        constants="bc",
    )
    (y,) = compute("y = Clip<min = -1.0>(a)", np.array([-2, np.inf], np.float16), opset=6)
    assert y.tolist() == [-1, 65504]


def test_a_lower_bound_above_the_upper_one_gives_the_upper_one(compute: Any) -> None:
    bounds = np.asarray(np.float32(3)), np.asarray(np.float32(1))
    for constants in ("", "bc"):
        assert compute("y = Clip(a, b, c)", FLOATS, *bounds, constants=constants)[0].unique().tolist() == [1]


def test_the_gradient_passes_at_the_bounds_but_not_beyond() -> None:
    x = torch.tensor([-1.0, 0, 0.5, 1, 2], requires_grad=True)
    elementwise.clip(x, 0.0, 1.0).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_relu6_is_recognised(agree: Any) -> None:
    bounds = np.asarray(np.float32(0)), np.asarray(np.float32(6))
    agree("y = Clip(a, b, c)", FLOATS, *bounds, constants="bc")
    agree("y = Clip<min = 0.0, max = 6.0>(a)", FLOATS, opset=7)
    x = torch.tensor([-1.0, 3, 7], requires_grad=True)
    elementwise.clip_1(x, min=0.0, max=6.0).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 0]


def test_signs(agree: Any) -> None:
    (y,) = agree("y = Sign(a)", np.array([-2, 0, 3, np.nan], np.float32))
    assert y[:3].tolist() == [-1, 0, 1]
    assert agree("y = Sign(a)", np.array([-2, 0, 3], np.int32))[0].tolist() == [-1, 0, 1]


def test_infinities_by_sign(agree: Any) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 1], np.float32)
    agree("y = IsNaN(a)", x)
    for negative, positive in ((1, 1), (0, 1), (1, 0), (0, 0)):
        agree(f"y = IsInf<detect_negative = {negative}, detect_positive = {positive}>(a)", x)


@pytest.mark.parametrize("name", ["Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Atanh", "Erf"])
def test_functions_agree(agree: Any, name: str) -> None:
    agree(f"y = {name}(a)", np.array([-0.9, -0.1, 0, 0.4, 0.99], np.float32), opset=9)


def test_the_inverse_hyperbolic_cosine_starts_at_1(agree: Any) -> None:
    agree("y = Acosh(a)", np.array([1, 1.5, 9], np.float32), opset=9)


def test_gradients_are_those_of_finite_differences() -> None:
    a, b = (torch.rand(2, 3, dtype=torch.double) + 0.5 + i for i in range(2))
    a.requires_grad_()
    b.requires_grad_()
    for function in (
        elementwise.divide, elementwise.power, elementwise.modulo, elementwise.maximum, elementwise.average,
        lambda a, b: elementwise.clip(a, 0.1, b), lambda a, b: elementwise.power(a, torch.tensor(3)) * b,
    ):  # fmt: skip
        assert torch.autograd.gradcheck(function, (a, b))
