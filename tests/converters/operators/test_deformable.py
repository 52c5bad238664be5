"""DeformConv."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxray.converters.operators.convolution import conv
from onnxray.converters.operators.deformable import deform_conv
from torch import Tensor

Same = Callable[..., tuple[Tensor, ...]]


def draw(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize(("offset_group", "group"), [(1, 1), (2, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("opset", [19, 22])
def test_deform_conv(same: Same, offset_group: int, group: int, opset: int) -> None:
    offset, mask = 2 * draw(2, offset_group * 12, 4, 6), draw(2, offset_group * 6, 4, 6)
    arrays = draw(2, 4, 6, 7), draw(4, 4 // group, 3, 2), offset, draw(4), mask
    geometry = {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]}
    same("DeformConv", *arrays, opset=opset, rtol=1e-4, group=group, offset_group=offset_group, **geometry)


def test_without_offsets_it_is_a_convolution() -> None:
    x, w = torch.from_numpy(draw(1, 2, 5, 1)), torch.from_numpy(draw(3, 2, 3, 1))
    y = deform_conv(x, w, torch.zeros(1, 6, 3, 1))
    torch.testing.assert_close(y, conv(x, w))


def test_gradients() -> None:
    x, w, offset = draw(1, 1, 4, 4), draw(1, 1, 2, 2), 0.3 + 0.05 * draw(1, 8, 3, 3)  # away from the pixels' edges
    values = tuple(torch.from_numpy(v).double().requires_grad_() for v in (x, w, offset))
    assert torch.autograd.gradcheck(deform_conv, values)


def test_only_images() -> None:
    with pytest.raises(NotImplementedError, match="only images"):
        deform_conv(torch.ones(1, 1, 4), torch.ones(1, 1, 2), torch.ones(1, 2, 3))
