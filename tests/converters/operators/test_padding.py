"""Pad in all versions and modes, CenterCropPad and Col2Im."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from onnxray.converters.operators import find
from onnxray.converters.operators.padding import center_crop_pad, col2im, pad

X = np.random.default_rng(0).standard_normal((2, 3, 5, 4), dtype=np.float32)
PADS = {
    "nothing": [0] * 8,
    "an image": [0, 0, 1, 2, 0, 0, 2, 3],
    "one side": [0, 0, 0, 0, 0, 0, 2, 0],
    "all axes": [1, 2, 1, 2, 1, 0, 0, 1],
    "less": [0, 0, -1, 2, 0, -1, -1, -1],
}
Same = Callable[..., tuple[torch.Tensor, ...]]


@pytest.mark.parametrize("pads", PADS.values(), ids=PADS)
@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_pad(same: Same, mode: str, pads: list[int]) -> None:
    same("Pad", X, np.array(pads), opset=19, mode=mode)
    if mode != "wrap":
        same("Pad", X, opset=7, mode=mode, pads=pads, value=2.5)
        same("Pad", X, np.array(pads), np.array(1.5, np.float32), opset=11, mode=mode)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad_some_axes(same: Same, mode: str) -> None:
    same("Pad", X, np.array([1, 2, 2, 0]), None, np.array([-1, 1]), opset=18, mode=mode)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.float64, np.bool_])
def test_pad_other_types(same: Same, kind: type) -> None:
    same("Pad", np.ones((2, 3), kind), np.array([1, 0, 0, 2]), np.array(0, kind), opset=13)
    same("Pad", np.ones((2, 3), kind), np.array([1, 0, 0, 2]), opset=18, mode="reflect")


def test_edges_wider_than_the_image(same: Same) -> None:
    same("Pad", X, np.array([0, 0, 7, 0, 0, 0, 0, 9]), opset=18, mode="edge")
    same("Pad", X, np.array([0, 0, 7, 0, 0, 0, 0, 9]), opset=19, mode="wrap")


def test_pad_of_the_first_opset() -> None:
    first = find("", "Pad", 1)
    assert first is not None
    assert first.function(torch.ones(2), paddings=(1, 0), value=3.0).tolist() == [3, 1, 1]


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_gradient(mode: str) -> None:
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: pad(v, [*PADS["an image"][:6], 0, 1], mode=mode), x)
    assert torch.autograd.gradcheck(lambda v: pad(v, (0, 1, 1, 0, 0, 1, 0, 0), mode=mode), x)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="mirror"):
        pad(torch.ones(3), (1, 1), mode="mirror")


@pytest.mark.parametrize("shape", [(5, 4), (2, 7), (8, 2), (3, 3)])
def test_center_crop_pad(same: Same, shape: tuple[int, int]) -> None:
    (got,) = same("CenterCropPad", X, np.array(shape), opset=18, axes=[2, -1])
    assert got.shape[2:] == shape


def test_center_crop_pad_of_all_axes() -> None:
    assert center_crop_pad(torch.ones(3, 4), torch.tensor([4, 3])).tolist() == [[1] * 3] * 3 + [[0] * 3]


def test_col2im_inverts_unfold() -> None:
    images = torch.randn(2, 3, 6, 5)
    options = {"dilation": 2, "padding": 1, "stride": 2}
    columns = F.unfold(images, (2, 3), **options)
    want = F.fold(columns, (6, 5), (2, 3), **options)
    got = col2im(columns, (6, 5), (2, 3), dilations=(2, 2), pads=(1,) * 4, strides=(2, 2))
    torch.testing.assert_close(got, want)


def test_col2im_has_a_gradient() -> None:
    columns = torch.randn(1, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: col2im(v, (3, 3), (2, 2), pads=(0, 0, 0, 1)), columns)
