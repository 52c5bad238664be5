"""DFT and STFT."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxray.converters.operators.spectral import dft, stft
from torch import Tensor

Same = Callable[..., tuple[Tensor, ...]]
STEP = np.array(3)


def draw(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize("length", [None, 4, 9])
def test_dft(same: Same, parts: int, inverse: int, length: int | None) -> None:
    size = None if length is None else np.array(length)
    same("DFT", draw(2, 6, parts), size, opset=17, inverse=inverse)
    same("DFT", draw(2, 6, 5, parts), size, np.array(1), opset=20, inverse=inverse)
    same("DFT", draw(2, 6, 5, parts), size, opset=20, inverse=inverse)


def test_one_sided(same: Same) -> None:
    same("DFT", draw(2, 6, 1), opset=17, onesided=1, axis=-2)
    same("DFT", draw(2, 6, 1), np.array(9), opset=20, onesided=1)
    for length in (None, np.array(10), np.array(11)):
        same("DFT", draw(2, 6, 2), length, opset=20, onesided=1, inverse=1)


def test_stft(same: Same) -> None:
    same("STFT", draw(2, 20, 1), STEP, draw(8), rtol=1e-4)
    same("STFT", draw(2, 20, 1), STEP, draw(8), np.array(8), rtol=1e-4, onesided=0)
    same("STFT", draw(2, 20, 2), STEP, draw(8), rtol=1e-4, onesided=0)
    same("STFT", draw(2, 20), STEP, draw(8), rtol=1e-4)


def test_gradients() -> None:
    x, window = torch.from_numpy(draw(1, 8, 1)).double().requires_grad_(), torch.hann_window(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: stft(v, (2,), window), (x,))
    assert torch.autograd.gradcheck(lambda v: dft(v, inverse=1), (x,))


def test_refusals() -> None:
    with pytest.raises(NotImplementedError, match="one-sided transform of complex"):
        dft(torch.ones(1, 4, 2), onesided=1)
    with pytest.raises(NotImplementedError, match="to 7 values of 6 frequencies"):
        dft(torch.ones(1, 6, 2), (7,), onesided=1, inverse=1)
    with pytest.raises(NotImplementedError, match="a window of 3 values"):
        stft(torch.ones(1, 9, 1), (1,), torch.ones(3), (4,))
