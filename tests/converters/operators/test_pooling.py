"""MaxPool, AveragePool and LpPool: old versions, indices, gradients, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from onnxray.converters.operators.pooling import average_pool, lp_pool, max_pool
from torch import Tensor

Same = Callable[..., tuple[Tensor, ...]]
X = np.random.default_rng(0).standard_normal((2, 3, 7, 8), dtype=np.float32)
PADDING: dict[str, dict[str, Any]] = {
    "none": {},
    "symmetric": {"pads": [1, 1, 1, 1]},
    "one side": {"pads": [0, 0, 1, 1]},
    "more than half": {"pads": [2, 1, 2, 1]},
    "valid": {"auto_pad": "VALID"},
    "same, upper": {"auto_pad": "SAME_UPPER"},
    "same, lower": {"auto_pad": "SAME_LOWER"},
}


@pytest.mark.parametrize("opset", [1, 8, 10, 11, 12, 22])
@pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)
def test_max_pool(same: Same, padding: dict[str, Any], opset: int) -> None:
    newer = {"ceil_mode": 1} if opset > 8 else {}
    same("MaxPool", X, opset=opset, kernel_shape=[3, 2], strides=[2, 3], **padding, **newer)


@pytest.mark.parametrize("opset", [7, 10, 11, 19, 22])
@pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)
@pytest.mark.parametrize("count", [0, 1])
def test_average_pool(same: Same, padding: dict[str, Any], opset: int, count: int) -> None:
    newer: dict[str, Any] = {"ceil_mode": 1} if opset > 7 else {}
    newer |= {"dilations": [2, 1]} if opset > 11 and "pads" in padding else {}
    same(
        "AveragePool", X, opset=opset, kernel_shape=[3, 2], count_include_pad=count, strides=[2, 2], **padding, **newer
    )


@pytest.mark.parametrize("opset", [2, 11, 18, 22])
@pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)
def test_lp_pool(same: Same, padding: dict[str, Any], opset: int) -> None:
    newer = {"ceil_mode": 1} if opset > 11 else {}
    same("LpPool", X, opset=opset, kernel_shape=[3, 2], p=3, strides=[2, 2], **padding, **newer)


def test_the_first_lp_pool_has_a_fractional_power() -> None:
    y = lp_pool(torch.tensor([[[3.0, -4.0]]]), kernel_shape=(2,), p=1.5)
    assert y.item() == pytest.approx((3**1.5 + 4**1.5) ** (1 / 1.5))


@pytest.mark.parametrize("sizes", [(9,), (6, 5), (4, 5, 6)])
@pytest.mark.parametrize("order", [0, 1])
def test_indices(same: Same, sizes: tuple[int, ...], order: int) -> None:
    x = np.random.default_rng(1).integers(0, 5, (2, 3, *sizes)).astype(np.float32)  # with ties: the first one counts
    rank = len(sizes)
    same("MaxPool", x, outputs=2, kernel_shape=[3] * rank, pads=[1] * rank + [2] * rank, storage_order=order)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.float64])
def test_max_pool_of_other_types(same: Same, kind: type) -> None:
    x: NDArray[Any] = (X * 50).astype(kind)
    (y,) = same("MaxPool", x, opset=12, kernel_shape=[3, 3], pads=[0, 1, 2, 1])
    assert y.numpy().dtype == kind


def test_whole_numbers_may_arrive_as_floats() -> None:
    whole = torch.from_numpy((X * 50).astype(np.int8))
    (y,), (z,) = (max_pool(x, kernel_shape=(2, 2)) for x in (whole, whole.float()))
    assert torch.equal(y.float(), z)


def test_steps_longer_than_windows(same: Same) -> None:
    options = {"kernel_shape": [1, 2], "strides": [3, 4], "auto_pad": "SAME_UPPER"}
    same("AveragePool", X, opset=22, **options)
    same("LpPool", X, opset=22, p=2, **options)


def test_the_common_case_is_torchs_own() -> None:
    x = torch.from_numpy(X)
    assert torch.equal(max_pool(x, kernel_shape=(3, 3), pads=(1,) * 4, strides=(2, 2))[0], F.max_pool2d(x, 3, 2, 1))
    assert torch.equal(average_pool(x, kernel_shape=(2, 2), strides=(2, 2)), F.avg_pool2d(x, 2))


def test_average_over_four_axes() -> None:
    x = torch.arange(32.0).reshape(1, 2, 2, 2, 2, 2)
    assert average_pool(x, kernel_shape=(2, 2, 2, 2)).flatten().tolist() == [7.5, 23.5]


@pytest.mark.parametrize("pool", [lambda *a, **k: max_pool(*a, **k)[0], average_pool, lp_pool])
@pytest.mark.parametrize("options", [{}, {"pads": (0, 0, 1, 1)}, {"dilations": (2, 1), "ceil_mode": 1}])
def test_gradients(pool: Callable[..., Tensor], options: dict[str, Any]) -> None:
    x = torch.from_numpy(X[:1, :1, :5, :4]).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: pool(v, kernel_shape=(2, 2), strides=(2, 1), **options), (x,))


def test_the_gradient_of_a_norm_is_finite_at_zero() -> None:
    x = torch.zeros(1, 1, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(lp_pool(x, kernel_shape=(2,)).sum(), x)
    assert gradient.tolist() == [[[0.0] * 4]]


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_refusals(pool: Callable[..., Any]) -> None:
    with pytest.raises(NotImplementedError, match="nothing but padding"):
        pool(torch.ones(1, 1, 2), kernel_shape=(2,), dilations=(3,), pads=(1, 1))
    with pytest.raises(NotImplementedError, match="larger than the padded input"):
        pool(torch.ones(1, 1, 2), kernel_shape=(4,))
    with pytest.raises(NotImplementedError, match="spatial axes"):
        pool(torch.ones(1, 1, 2, 2), kernel_shape=(2,))


def test_max_pool_over_four_axes_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="over 4 axes"):
        max_pool(torch.ones(1, 1, 2, 2, 2, 2), kernel_shape=(2, 2, 2, 2))
