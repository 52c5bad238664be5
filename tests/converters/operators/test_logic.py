"""Comparisons, logic and bits: old broadcasting, types that torch holds in larger ones, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto
from onnxray.converters.operators import logic

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("name", ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
def test_comparisons_agree(agree: Any, name: str) -> None:
    a, b = RNG.integers(0, 3, (2, 3, 4)).astype(np.float32), RNG.integers(0, 3, (3, 1)).astype(np.float32)
    (y,) = agree(f"y = {name}(a, b)", a, b, opset=16)
    assert y.dtype == torch.bool
    assert y.any()
    assert not y.all()


@pytest.mark.parametrize(("name", "expected"), [("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.not_equal)])
def test_logic_before_opset_7_lines_up_by_axis(compute: Any, name: str, expected: Any) -> None:
    a, b = RNG.random((2, 3, 4)) > 0.5, RNG.random(3) > 0.5
    (y,) = compute(f"y = {name}<axis = 1, broadcast = 1>(a, b)", a, b, opset=1)
    assert np.array_equal(y.numpy(), expected(a, b[:, None]))


def test_comparisons_before_opset_7_line_up_by_axis(compute: Any) -> None:
    a, b = RNG.random((3, 4), np.float32), RNG.random(3, np.float32)
    (y,) = compute("y = Greater<axis = 0, broadcast = 1>(a, b)", a, b, opset=1)
    assert np.array_equal(y.numpy(), a > b[:, None])


def test_where_broadcasts_and_passes_gradients(agree: Any) -> None:
    agree(
        "y = Where(a, b, c)",
        np.array([[True], [False]]),
        np.array([1, 2], np.float32),
        np.asarray(np.float32(3)),
        opset=9,
    )
    a, b = torch.rand(3, dtype=torch.double, requires_grad=True), torch.rand(3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: logic.where(torch.tensor([True, False, True]), a, b), (a, b))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_bits_that_leave_the_type_are_lost(compute: Any, dtype: Any) -> None:
    x = np.array([1, 77, np.iinfo(dtype).max], dtype)
    (y,) = compute("y = BitwiseNot(a)", x, opset=18)
    assert y.tolist() == (~x).tolist()
    (y,) = compute('y = BitShift<direction = "LEFT">(a, b)', x, np.array([1, 2, 3], dtype), opset=11)
    assert y.tolist() == (x << np.array([1, 2, 3], dtype)).tolist()


@pytest.mark.parametrize("name", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits_agree(agree: Any, name: str) -> None:
    agree(f"y = {name}(a, b)", np.array([[1, -7, 12]], np.int32), np.array([[3], [5]], np.int32), opset=18)


def test_not_agrees(agree: Any) -> None:
    agree("y = Not(a)", np.array([True, False]))


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts_agree(agree: Any, direction: str) -> None:
    x, y = np.array([255, 16, 7], np.uint8), np.array([1, 3, 7], np.uint8)
    agree(f'y = BitShift<direction = "{direction}">(a, b)', x, y, opset=11)


def test_bits_of_bytes_that_are_carried_as_floats() -> None:
    x = torch.tensor([0.0, 5, 255])
    assert logic.bitwise_and(x, torch.tensor(4, dtype=torch.uint8)).tolist() == [0, 4, 4]
    assert logic.bitwise_not(x, _types=(TensorProto.UINT8,)).tolist() == [255, 250, 0]
    with pytest.raises(NotImplementedError, match="not declared"):
        logic.bitwise_not(x, _types=(0,))


def test_an_unknown_direction_is_refused() -> None:
    x = torch.tensor([1])
    with pytest.raises(NotImplementedError, match="'UP'"):
        logic.shift(x, x, direction="UP")
