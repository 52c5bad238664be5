"""Pictures brought to a model's size and colours, and the readings of an input's shape."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnxray.scanner.errors import SamplesError
from onnxray.scanner.fitting import Fit
from onnxray.scanner.layouts import Frame, frames

SIDE = st.integers(1, 40)


@given(SIDE, SIDE, SIDE, SIDE, st.sampled_from([1, 3]), st.sampled_from([1, 3]), st.booleans(), st.integers(0, 255))
def test_even_pictures_stay_even(h: int, w: int, th: int, tw: int, c: int, tc: int, is_float: bool, shade: int) -> None:
    shape = (h, w) if c == 1 else (h, w, 3)
    image = np.full(shape, shade / 255, np.float32) if is_float else np.full(shape, shade, np.uint8)
    for fit in (Fit(), Fit(0.875), Fit(0.5, "bicubic")):
        fitted = fit.apply([image], tc, th, tw)
        assert fitted.shape == (1, tc, th, tw)
        assert fitted.dtype == np.float32
        assert np.allclose(fitted, shade / 255, atol=1e-5)


def test_colours() -> None:
    red, grey = np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 51, np.uint8)
    red[..., 0] = 255
    assert np.allclose(Fit().apply([red, grey], 1, 2, 2)[:, 0, 0, 0], [0.299, 0.2])
    assert np.allclose(Fit().apply([red, grey], 3, 2, 2)[:, :, 0, 0], np.array([[1, 0, 0], [0.2, 0.2, 0.2]]))


def test_bytes_survive_exactly() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(Fit().apply([image], 1, 16, 16)[0, 0] * 255, image)


def test_a_resized_picture_is_averaged() -> None:
    chequered = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.allclose(Fit().apply([chequered], 1, 8, 8)[0, 0, 2:-2, 2:-2], 0.5, atol=0.02)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_crop_takes_the_centre(dtype: type) -> None:
    image: NDArray[Any] = np.zeros((100, 200), dtype)
    image[25:75, 75:125] = 255 if dtype is np.uint8 else 1  # half of the shorter side, in the middle
    assert Fit(0.5).apply([image], 1, 20, 20)[0, 0, 1:-1, 1:-1].min() > 0.85  # the antialiasing looks over the edge
    assert Fit(0.4).apply([image], 1, 20, 20).min() == 1
    whole = Fit(1.0).apply([image], 1, 20, 20)[0, 0]
    assert whole[6:14, 6:14].min() == 1
    assert whole[0].max() == whole[:, 0].max() == 0
    stretched = Fit().apply([image], 1, 20, 20)[0, 0]
    assert np.isclose(stretched.mean(), image.mean() / image.max(), atol=0.01)


def test_an_endless_strip_takes_no_memory() -> None:
    assert Fit(0.875).apply([np.zeros((1, 60000), np.uint8)], 3, 224, 224).shape == (1, 3, 224, 224)


def pictures(height: int, width: int, channels: int = 3) -> list[NDArray[np.uint8]]:
    return [np.zeros((height, width, 3) if channels == 3 else (height, width), np.uint8)] * 3


MNIST, CIFAR = pictures(28, 28, 1), pictures(32, 32)


@pytest.mark.parametrize(
    ("shape", "images", "expected"),
    [
        ((None, 3, 32, 32), CIFAR, ["NCHW 3x32x32"]),
        ((1, 32, 30, 3), CIFAR, ["NHWC 3x32x30"]),
        ((1, 1, 28, 28), CIFAR, ["NCHW 1x28x28"]),
        ((1, 3, 224, 3), CIFAR, ["NCHW 3x224x3", "NHWC 3x3x224"]),
        ((None, 3, None, None), CIFAR, ["NCHW 3x32x32"]),
        ((None, None, None, 3), MNIST, ["NHWC 3x28x28"]),
        ((None, None, None, None), MNIST, ["NCHW 1x28x28", "NCHW 3x28x28", "NHWC 1x28x28", "NHWC 3x28x28"]),
        ((None, 3, None, None), [*pictures(900, 600), *CIFAR[:1]], ["NCHW 3x224x224"]),
        ((None, 1, None, None), [a for n in range(3) for a in pictures(9 + n, 9, 1)], ["NCHW 1x28x28"]),
        ((None, 28, 28), MNIST, ["NHW 1x28x28"]),
        ((1, 784, 1), MNIST, ["flat1 1x28x28"]),
        ((1, 784), CIFAR, ["flat 1x28x28"]),
        ((1, 3072), CIFAR, ["flat 3x32x32", "flat HWC 3x32x32"]),
        ((1, 3072, 1), MNIST, ["flat1 3x32x32", "flat1 HWC 3x32x32"]),
        ((1, 600), pictures(20, 30, 1), ["flat 1x20x30"]),
        ((None, None), CIFAR, ["flat 3x32x32", "flat HWC 3x32x32"]),
        ((1, 16), pictures(4, 4, 1), ["flat 1x4x4"]),
    ],
)
def test_frames(shape: tuple[int | None, ...], images: list[NDArray[np.uint8]], expected: list[str]) -> None:
    found = frames(shape, images, None, "m.onnx")
    assert [f"{f.layout} {f.channels}x{f.height}x{f.width}" for f in found] == expected


def test_a_stored_size_fills_open_axes() -> None:
    assert frames((None, 3, None, None), CIFAR, (160, 192), "m") == (Frame("NCHW", 3, 160, 192),)
    assert frames((None, 3, 64, 64), CIFAR, (160, 192), "m") == (Frame("NCHW", 3, 64, 64),)


@pytest.mark.parametrize(
    "shape", [(None, 16), (1, 13), (1, 2, 5, 5), (1, 4, 32, 32), (1, 3, 8, 8, 8), (5,), (1, 3, 0, 9)]
)
def test_other_inputs_are_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(SamplesError, match=r"^m\.onnx: its input \(.*\) fits no picture") as caught:
        frames(shape, CIFAR, None, "m.onnx")
    assert ", ".join("?" if d is None else str(d) for d in shape) in str(caught.value)


def test_enormous_inputs_are_refused() -> None:
    with pytest.raises(SamplesError, match="fits no picture"):
        frames((1, 3, 100_000, 100_000), CIFAR, None, "m.onnx")
