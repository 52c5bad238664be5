"""The map from pictures to a model's input: the same in numpy and torch, affine, and invertible."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnxray.scanner.axes import LAYOUTS
from onnxray.scanner.domain import InputDomain

SHAPES = {
    "NCHW": (5, 3, 4, 6), "NHWC": (5, 4, 6, 3), "flat": (5, 72), "flat1": (5, 72, 1), "flat HWC": (5, 72),
    "flat1 HWC": (5, 72, 1),
}  # fmt: skip
FIGURE = st.floats(-2, 2, width=16)


@st.composite
def domains(draw: st.DrawFn) -> InputDomain:
    layout = draw(st.sampled_from(LAYOUTS))
    channels = 1 if layout == "NHW" else draw(st.sampled_from([1, 3]))
    several = st.sampled_from([1, channels])
    mean = draw(several.flatmap(lambda n: st.lists(FIGURE, min_size=n, max_size=n)))
    std = draw(several.flatmap(lambda n: st.lists(st.floats(0.125, 2, width=16), min_size=n, max_size=n)))
    scale = draw(st.sampled_from([1.0, 255.0, -1.0]))
    return InputDomain(
        "any", layout, channels, 4, 6, scale, tuple(mean), tuple(std), channels == 3 and draw(st.booleans())
    )


def pictures(domain: InputDomain, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((5, domain.channels, 4, 6), dtype=np.float32)


def inverse(domain: InputDomain, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Written the other way round, channel by channel."""
    last = domain.layout.endswith("HWC")
    x = inputs.reshape((-1, 4, 6, domain.channels) if last else (-1, domain.channels, 4, 6))
    planes = [x[..., c] if last else x[:, c] for c in range(domain.channels)]
    mean, std = (v * (domain.channels // len(v)) for v in (domain.mean, domain.std))
    planes = [(p * s + m) / domain.scale for p, m, s in zip(planes, mean, std, strict=True)]
    return np.stack(planes[::-1] if domain.bgr else planes, axis=1)


@given(domains())
def test_it_can_be_undone(domain: InputDomain) -> None:
    x = pictures(domain)
    assert np.allclose(inverse(domain, domain.to_input(x)), x, atol=1e-5)


@given(domains())
def test_numpy_and_torch_agree(domain: InputDomain) -> None:
    x = pictures(domain)
    expected = domain.to_input(x)
    assert expected.dtype == np.float32
    assert np.allclose(domain.to_input(torch.from_numpy(x)).numpy(), expected, rtol=1e-6, atol=1e-5)


@given(domains(), arrays(np.float32, (1, 1, 4, 6), elements=st.floats(0, 1, width=32)))
def test_blending_may_come_before_or_after(domain: InputDomain, mask: NDArray[np.float32]) -> None:
    x, pattern = pictures(domain), pictures(domain, seed=1)
    masks = domain.to_input(np.broadcast_to(mask, x.shape)) - domain.to_input(np.zeros_like(x))
    ones = domain.to_input(np.ones_like(x)) - domain.to_input(np.zeros_like(x))
    before, after = (domain.to_input(p) for p in (x, pattern))
    blended = before + masks / ones * (after - before)
    assert np.allclose(domain.to_input(x + mask * (pattern - x)), blended, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("layout", SHAPES)
def test_layouts(layout: str) -> None:
    domain = InputDomain("[0, 255]", layout, 3, 4, 6, scale=255.0)
    x = pictures(domain)
    inputs = domain.to_input(x)
    assert inputs.shape == SHAPES[layout]
    second_red = x[1, 0, 0, 1] * 255  # the pixel right of the top left one
    place = {"NCHW": (1, 0, 0, 1), "NHWC": (1, 0, 1, 0), "flat": (1, 1), "flat1": (1, 1, 0)}
    place |= {"flat HWC": (1, 3), "flat1 HWC": (1, 3, 0)}
    assert inputs[place[layout]] == pytest.approx(second_red)
    flipped = replace(domain, bgr=True).to_input(x)
    assert flipped[place[layout]] == pytest.approx(x[1, 2, 0, 1] * 255)


def test_grey_without_a_channel_axis() -> None:
    x = pictures(InputDomain("[0, 1]", "NHW", 1, 4, 6))
    assert np.array_equal(InputDomain("[0, 1]", "NHW", 1, 4, 6).to_input(x), x[:, 0])


def test_gradients_pass() -> None:
    domain = InputDomain("ImageNet", "NHWC", 3, 4, 6, mean=(0.485, 0.456, 0.406), std=(0.25, 0.5, 1.0), bgr=True)
    x = torch.rand(2, 3, 4, 6, requires_grad=True)
    domain.to_input(x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad[0, :, 0, 0], torch.tensor([1.0, 2.0, 4.0]))  # blue is the model's first channel
