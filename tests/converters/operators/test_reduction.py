"""Reductions, places of extremes and running sums: every version against onnxruntime, gradients, empty inputs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators import along_axis, reduction

RNG = np.random.default_rng(1)
X = RNG.standard_normal((2, 3, 4)).astype(np.float32)
NAMES = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("opset", [7, 11, 12])
@pytest.mark.parametrize("attributes", ["", "<axes = [1]>", "<axes = [0, 2], keepdims = 0>", "<keepdims = 0>"])
def test_axes_as_an_attribute(agree: Any, name: str, opset: int, attributes: str) -> None:
    agree(f"y = Reduce{name}{attributes}(a)", np.abs(X) if name == "LogSum" else X, opset=opset)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("constants", ["", "b"])
@pytest.mark.parametrize("axes", [[1], [-1, 0], []])
def test_axes_as_an_input(agree: Any, name: str, constants: str, axes: list[int]) -> None:
    x = np.abs(X) if name == "LogSum" else X
    agree(f"y = Reduce{name}<keepdims = 0>(a, b)", x, np.array(axes, np.int64), opset=18, constants=constants)


@pytest.mark.parametrize("opset", [12, 17])
def test_sums_take_their_axes_as_an_input_from_13_on(agree: Any, opset: int) -> None:
    if opset == 12:
        agree("y = ReduceSum<axes = [1]>(a)", X, opset=opset)
    else:
        agree("y = ReduceSum(a, b)", X, np.array([1], np.int64), opset=opset)


def test_no_axes_may_mean_each_value_alone() -> None:
    x = torch.from_numpy(X)
    once = partial(reduction._reduced, data=x, axes=None, keep=True, noop=True)
    assert torch.equal(once(reduction.reduce_sum), x)
    assert torch.equal(once(reduction.reduce_sum_square), x * x)
    assert torch.allclose(once(reduction.reduce_log_sum_exp), x, atol=1e-6)
    assert torch.equal(once(reduction.reduce_l2), x.abs())


@pytest.mark.parametrize("name", NAMES)
def test_a_single_number(agree: Any, name: str) -> None:
    agree(f"y = Reduce{name}(a)", np.asarray(np.float32(2)), opset=18)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("name", ["Sum", "Mean", "Max", "Min", "Prod", "L1", "SumSquare"])
def test_whole_numbers_stay_whole(agree: Any, name: str, dtype: Any) -> None:
    x = np.array([[-3, -2, 2], [5, 1, 1]], dtype)
    (y,) = agree(f"y = Reduce{name}<keepdims = 0>(a, b)", x, np.array([1], np.int64), opset=18)
    assert y.dtype == torch.from_numpy(x).dtype


@pytest.mark.parametrize(
    ("name", "dtype", "expected"),
    [
        ("Max", np.float32, -np.inf), ("Min", np.float32, np.inf), ("Max", np.int32, -(2**31)), ("Sum", np.float32, 0),
        ("Prod", np.float32, 1), ("LogSumExp", np.float32, -np.inf), ("LogSum", np.float32, -np.inf),
        ("Min", np.bool_, True), ("Max", np.bool_, False),
    ],
)  # fmt: skip
def test_nothing_reduced(compute: Any, name: str, dtype: Any, expected: float) -> None:
    empty = np.zeros((2, 0, 3), dtype)
    (y,) = compute(f"y = Reduce{name}(a, b)", empty, np.array([1], np.int64), opset=20)
    assert y.tolist() == [[[expected] * 3]] * 2
    assert compute(f"y = Reduce{name}<keepdims = 0>(a, b)", empty, np.array([0], np.int64), opset=20)[0].shape == (0, 3)


@pytest.mark.parametrize("name", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("attributes", ["", "axis = -1, ", "axis = 1, keepdims = 0, "])
@pytest.mark.parametrize("last", [0, 1])
def test_places_of_extremes(agree: Any, name: str, attributes: str, last: int) -> None:
    agree(f"y = {name}<{attributes}select_last_index = {last}>(a)", np.round(X), opset=12)
    agree(f"y = {name}<{attributes.strip(', ')}>(a)".replace("<>", ""), np.round(X), opset=7)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("constants", ["", "b"])
def test_running_sums(agree: Any, exclusive: int, reverse: int, constants: str) -> None:
    node = f"y = CumSum<exclusive = {exclusive}, reverse = {reverse}>(a, b)"
    for axis in (1, -1):
        agree(node, X, np.asarray(np.int32(axis)), constants=constants)
    (y,) = agree(node, np.array([[1, 2, 3]], np.int32), np.asarray(np.int64(1)))
    assert y.dtype == torch.int32


def test_running_products() -> None:
    x = torch.tensor([1, 2, 3])
    cases = {(0, 0): [1, 2, 6], (1, 0): [1, 1, 2], (0, 1): [6, 6, 3], (1, 1): [6, 3, 1]}
    for (exclusive, reverse), expected in cases.items():
        assert along_axis.cumulative_product(x, (0,), exclusive=exclusive, reverse=reverse).tolist() == expected
    assert along_axis.cumulative_product(x[:0], (0,), exclusive=1).shape == (0,)


@pytest.mark.parametrize("name", ["l1", "l2", "log_sum_exp", "max", "mean", "prod", "sum_square"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    x = torch.rand(2, 3, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: getattr(reduction, f"reduce_{name}")(x, [0, 2], False), (x,))


def test_the_norm_of_zeros_has_a_finite_gradient() -> None:
    x = torch.zeros(3, requires_grad=True)
    reduction.reduce_l2(x, [0], False).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 0]
