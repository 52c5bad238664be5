"""Window functions and the mel scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto
from torch import Tensor

Agree = Callable[..., tuple[Tensor, ...]]


@pytest.mark.parametrize("name", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_windows(agree: Agree, name: str, periodic: int, kind: int, size: int) -> None:
    node = f"y = {name}<periodic = {periodic}, output_datatype = {kind}>(a)"
    agree(node, np.array(size))
    agree(node, np.array(size, np.int32), constants="a")


@pytest.mark.parametrize("given", [(8, 16, 8192, 0, 4096), (40, 400, 16000, 20, 7600), (80, 512, 16000, 0, 8000)])
def test_mel_weights(agree: Agree, given: tuple[int, ...]) -> None:
    values = [np.array(value, kind) for value, kind in zip(given, [np.int64] * 3 + [np.float32] * 2, strict=True)]
    (y,) = agree("y = MelWeightMatrix(a, b, c, d, e)", *values, constants="abcde")
    assert 0 <= y.min() <= y.max() == 1
