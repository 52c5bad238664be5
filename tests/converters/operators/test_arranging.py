"""Transpose, DepthToSpace, SpaceToDepth and ReverseSequence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from onnxray.converters.operators.arranging import depth_to_space, reverse_sequence, space_to_depth

X = np.random.default_rng(0).standard_normal((2, 8, 4, 6), dtype=np.float32)
Same = Callable[..., tuple[torch.Tensor, ...]]


def test_transpose(same: Same) -> None:
    same("Transpose", X, opset=7)
    same("Transpose", X, opset=13, perm=[0, 2, 3, 1])
    same("Transpose", np.float32(3), opset=13)


def test_depth_to_space_and_back(same: Same) -> None:
    same("DepthToSpace", X, opset=7, blocksize=2)
    same("DepthToSpace", X, opset=13, blocksize=2, mode="CRD")
    same("SpaceToDepth", X, opset=7, blocksize=2)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_space_to_depth_is_the_inverse(mode: str) -> None:
    x = torch.from_numpy(X)
    assert torch.equal(space_to_depth(depth_to_space(x, blocksize=2, mode=mode), blocksize=2, mode=mode), x)


@pytest.mark.parametrize(("batch", "time"), [(0, 1), (1, 0)])
def test_reverse_sequence(same: Same, batch: int, time: int) -> None:
    x = X[:, :, 0] if batch == 0 else X[:, :, 0].swapaxes(0, 1).copy()
    lengths = np.array([3, 8])
    same("ReverseSequence", x, lengths, batch_axis=batch, time_axis=time)


def test_gradient() -> None:
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: reverse_sequence(v, torch.tensor([1.0, 3.0])), x)
