"""ConstantOfShape, Range, EyeLike and Trilu."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnx import TensorProto
from onnxray.converters.operators.filling import range_

Same = Callable[..., tuple[torch.Tensor, ...]]


def test_constant_of_shape(same: Same) -> None:
    assert same("ConstantOfShape", np.array([2, 3]))[0].dtype == torch.float32
    same("ConstantOfShape", np.array([], np.int64))
    seven = np.array([7])
    (got,) = same("ConstantOfShape", np.array([2, 0, 3]), value=seven)
    assert got.dtype == torch.int64
    same("ConstantOfShape", np.array([4]), value=seven)


@pytest.mark.parametrize("bounds", [(0, 5, 1), (3, -4, -2), (5, 5, 1), (5, 0, 1), (-1, 9, 4)])
@pytest.mark.parametrize("kind", [np.int32, np.int64, np.float32, np.float64])
def test_range(same: Same, bounds: tuple[int, int, int], kind: type) -> None:
    values = [kind(v) * (0.3 if np.issubdtype(kind, np.floating) else 1) for v in bounds]
    (got,) = same("Range", *(np.array(v, kind) for v in values), opset=11)
    assert got.numpy().dtype == kind


def test_range_in_half_precision_counts_far() -> None:
    got = range_(torch.tensor(0.0).half(), torch.tensor(4000.0).half(), torch.tensor(1.0).half())
    assert torch.equal(got, torch.arange(4000.0).half())


def test_range_has_a_gradient() -> None:
    ends = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.5, 3.0)]
    assert torch.autograd.gradcheck(lambda a, b: range_(a, torch.tensor(9.0), b), ends)


@pytest.mark.parametrize("k", [-2, 0, 1, 9])
def test_eye_like(same: Same, k: int) -> None:
    x = np.zeros((3, 5), np.float32)
    assert same("EyeLike", x, k=k)[0].dtype == torch.float32
    assert same("EyeLike", x, k=k, dtype=TensorProto.INT64)[0].dtype == torch.int64


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [None, -1, 2, 9])
def test_trilu(same: Same, upper: int, k: int | None) -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    same("Trilu", x, None if k is None else np.array(k), upper=upper)
