"""Losses against onnxruntime and torch, which onnxruntime does not have in every version."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from onnxray.converters.operators import losses

RNG = np.random.default_rng(1)
SCORES, LABELS = RNG.standard_normal((4, 3, 5)).astype(np.float32), RNG.integers(0, 3, (4, 5))
WEIGHTS = np.array([0.2, 0.5, 0.9], np.float32)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("ignore", [-1, 1])
def test_cross_entropy(compute: Any, reduction: str, ignore: int) -> None:
    node = f'y, p = SoftmaxCrossEntropyLoss<reduction = "{reduction}", ignore_index = {ignore}>(a, b, c)'
    loss, shares = compute(node, SCORES, LABELS, WEIGHTS, opset=13)
    logs = SCORES - np.log(np.exp(SCORES).sum(1, keepdims=True))
    np.testing.assert_allclose(shares.numpy(), logs, rtol=1e-4, atol=1e-6)
    weight = np.where(ignore == LABELS, 0, WEIGHTS[LABELS])
    each = -np.take_along_axis(logs, LABELS[:, None], 1)[:, 0] * weight
    expected = {"none": each, "sum": each.sum(), "mean": each.sum() / weight.sum()}[reduction]
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_classes_may_arrive_as_reals_and_gradients_pass() -> None:
    x = torch.rand(4, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: losses.cross_entropy(x, torch.tensor([0.0, 1, 2, 2])), (x,))
    assert torch.autograd.gradcheck(lambda x: losses.negative_log_likelihood(x, torch.tensor([0, 1, 2, 2])), (x,))


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="'max'"):
        losses.negative_log_likelihood(torch.zeros(1, 2), torch.zeros(1), reduction="max")
