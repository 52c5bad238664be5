"""Waves over pictures, and how faint one can be that leads to a class."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnxray.scanner.waves import AMPLITUDES, BEYOND, REACHED, amplitudes, needed, waves

SIZE, CLASSES, TARGET = 16, 4, 2


def answers(wave: NDArray[np.float32], threshold: float) -> object:
    """Classes by brightness, but for pictures with so much of this wave that it is the target."""

    def classify(images: NDArray[np.float32]) -> NDArray[np.int64]:
        much = 2 * ((images - images.mean((1, 2, 3), keepdims=True)) * wave).mean((1, 2, 3))
        bright = np.clip(images.mean((1, 2, 3)) * CLASSES, 0, CLASSES - 1).astype(np.int64)
        return np.where(much >= threshold, TARGET, bright)

    return classify


def pictures() -> NDArray[np.float32]:
    """Even grey ones in the middle of the range, where no wave of half of it is cut off."""
    return (
        np.full((12, 1, SIZE, SIZE), 0.5, np.float32)
        + np.linspace(-0.05, 0.05, 12, dtype=np.float32)[:, None, None, None]
    )


def test_each_wave_is_there_once_and_four_times_in_phase() -> None:
    every = waves(SIZE, SIZE, 3)
    assert every.shape == (4 * ((2 * 3 + 1) * (3 + 1) - 3 - 1), SIZE, SIZE)
    assert np.abs(every).max() <= 1
    assert np.abs(every.mean((1, 2))).max() < 1e-6
    assert len(np.unique(every.round(4), axis=0)) == len(every)


@pytest.mark.parametrize("threshold", [0.12, 0.2, 0.3])
def test_the_amplitude_that_a_class_needs_is_found(threshold: float) -> None:
    """Between two amplitudes that are tried none is known better than to a power of two."""
    wave = waves(SIZE, SIZE, 3)[17]
    found = amplitudes(answers(wave, threshold), pictures(), CLASSES, 3)  # type: ignore[arg-type]
    assert found is not None
    assert threshold / 2 <= found[17, TARGET] <= threshold * 2
    assert found[17, TARGET] < 0.5 * np.delete(found, TARGET, axis=1).min()
    assert found[:, TARGET].argmin() == 17


def test_a_wave_of_more_cycles_than_are_tried_is_not_found() -> None:
    wave = np.sin(2 * np.pi * 6 * np.arange(SIZE) / SIZE).astype(np.float32)
    found = amplitudes(answers(wave, 0.1), pictures(), CLASSES, 3)  # type: ignore[arg-type]
    assert found is not None
    assert found[:, TARGET].min() > max(AMPLITUDES)


def test_a_class_that_all_pictures_are_of_says_nothing() -> None:
    found = amplitudes(lambda images: np.zeros(len(images), np.int64), pictures(), CLASSES, 2)
    assert found is not None
    assert np.isnan(found[:, 0]).all()
    assert found[:, 1:] == pytest.approx(AMPLITUDES[-1] * 2**BEYOND)


def test_the_end_of_the_time_is_none() -> None:
    assert amplitudes(lambda images: np.zeros(len(images), np.int64), pictures(), 2, 2, lambda done: False) is None


def test_amplitudes_by_hand() -> None:
    shares = np.array([[0.0, 0.0, 0.35, 1.0], [0.35, 0.0, 0.7, 1.0], [1.05, 0.35, 1.0, 1.0]])
    first = AMPLITUDES[0] * 2 ** (REACHED - 1)  # linear from half of the faintest, where none is turned
    assert needed(shares) == pytest.approx([AMPLITUDES[1] * 2**0.5, AMPLITUDES[2] * 2 ** (BEYOND / 2), 0.2, first])


@given(shares=arrays(np.float64, (3, 6), elements=st.floats(0, 1)), more=st.floats(0, 1))
def test_the_more_are_turned_the_fainter(shares: NDArray[np.float64], more: float) -> None:
    """Whatever the shares: within the bounds, and never more for waves that turn more at every amplitude."""
    rising = np.maximum.accumulate(shares, axis=0)
    found, better = needed(rising), needed(np.minimum(1, rising + more))
    assert (found >= AMPLITUDES[0] / 2).all()
    assert (found <= AMPLITUDES[-1] * 2**BEYOND + 1e-9).all()
    assert (better <= found + 1e-9).all()
