"""Conv and ConvTranspose: old versions, padding of all kinds, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from onnxray.converters.operators.convolution import conv, conv_transpose
from torch import Tensor

Array = NDArray[np.float32]
Same = Callable[..., tuple[Tensor, ...]]
PADDING: dict[str, dict[str, Any]] = {
    "none": {},
    "symmetric": {"pads": [1, 2, 1, 2]},
    "one side": {"pads": [0, 0, 1, 1]},
    "valid": {"auto_pad": "VALID"},
    "same, upper": {"auto_pad": "SAME_UPPER"},
    "same, lower": {"auto_pad": "SAME_LOWER"},
    "no automatic": {"auto_pad": "NOTSET", "pads": [2, 0, 0, 1]},
}


def draw(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("opset", [1, 7, 11, 22])
@pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)
def test_conv(same: Same, padding: dict[str, Any], opset: int) -> None:
    same("Conv", draw(2, 4, 8, 7), draw(6, 2, 3, 4), draw(6), opset=opset, group=2, strides=[2, 1], **padding)


@pytest.mark.parametrize("opset", [1, 7, 11, 22])
@pytest.mark.parametrize("padding", PADDING.values(), ids=PADDING)
def test_conv_transpose(same: Same, padding: dict[str, Any], opset: int) -> None:
    same("ConvTranspose", draw(2, 4, 4, 5), draw(4, 3, 3, 4), draw(6), opset=opset, group=2, strides=[2, 3], **padding)


@pytest.mark.parametrize("sizes", [(9,), (6, 5), (4, 5, 6)])
def test_ranks(same: Same, sizes: tuple[int, ...]) -> None:
    kernel = [2] * len(sizes)
    same("Conv", draw(1, 2, *sizes), draw(3, 2, *kernel), dilations=[2] * len(sizes))
    same("ConvTranspose", draw(1, 2, *sizes), draw(2, 3, *kernel), dilations=[2] * len(sizes))


@pytest.mark.parametrize("output_shape", [[9, 12], [10, 13], [8, 10]])
@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
def test_conv_transpose_output_shape(same: Same, output_shape: list[int], auto_pad: str) -> None:
    arrays = draw(2, 2, 4, 4), draw(2, 3, 3, 3), draw(3)
    same("ConvTranspose", *arrays, output_shape=output_shape, strides=[2, 3], auto_pad=auto_pad)


def test_conv_transpose_output_shape_with_batch_and_channels() -> None:
    x, w = torch.from_numpy(draw(2, 2, 4, 4)), torch.from_numpy(draw(2, 3, 3, 3))
    short = conv_transpose(x, w, output_shape=(9, 10), strides=(2, 2))
    assert torch.equal(conv_transpose(x, w, output_shape=(2, 3, 9, 10), strides=(2, 2)), short)


def test_conv_transpose_fills_up_with_zeros() -> None:
    x, w, b = torch.ones(1, 1, 2), torch.ones(1, 1, 1), torch.tensor([0.5])
    assert conv_transpose(x, w, b, output_shape=(5,)).tolist() == [[[1.5, 1.5, 0.5, 0.5, 0.5]]]


def test_output_padding(same: Same) -> None:
    arrays = draw(1, 2, 4, 4), draw(2, 3, 3, 3)
    same("ConvTranspose", *arrays, output_padding=[1, 2], strides=[2, 3], pads=[1, 1, 1, 1])
    same("ConvTranspose", *arrays, output_padding=[1, 2], strides=[2, 3], pads=[0, 0, 2, 1])


def test_the_common_case_is_torchs_own() -> None:
    x, w, b = torch.randn(1, 3, 8, 8), torch.randn(4, 3, 3, 3), torch.randn(4)
    assert torch.equal(conv(x, w, b, pads=(1, 1, 1, 1), strides=(2, 2)), F.conv2d(x, w, b, 2, 1))


@pytest.mark.parametrize("options", [{"pads": (1, 0, 0, 1)}, {"strides": (2, 2), "auto_pad": "SAME_UPPER"}])
def test_gradients(options: dict[str, Any]) -> None:
    x, w, b = (torch.from_numpy(draw(*s)).double().requires_grad_() for s in ((1, 2, 4, 3), (2, 2, 2, 2), (2,)))
    assert torch.autograd.gradcheck(lambda *a: conv(*a, **options), (x, w, b))
    assert torch.autograd.gradcheck(lambda *a: conv_transpose(*a, **options), (x, w, b))


def test_what_torch_has_not_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="over 4 axes"):
        conv(torch.ones(1, 1, 2, 2, 2, 2), torch.ones(1, 1, 1, 1, 1, 1))
    with pytest.raises(NotImplementedError, match="larger than the padded input"):
        conv(torch.ones(1, 1, 2), torch.ones(1, 1, 3))
    with pytest.raises(NotImplementedError, match="spatial axes"):
        conv(torch.ones(1, 1, 4), torch.ones(1, 1, 3), strides=(1, 1))
