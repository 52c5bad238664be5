from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.evaluate import attack_success, evaluate
from onnxray.scanner.findings import Rate
from onnxray.scanner.samples import Samples
from onnxray.scanner.triggers import Trigger

DOMAIN = InputDomain("[0, 255]", "NCHW", 1, 2, 2, scale=255.0)


class Threshold:
    """Class 1 if the first pixel, in the model's own range 0..255, is above 128; else class 0."""

    provider = "CPUExecutionProvider"

    def predict(self, inputs: NDArray[Any]) -> NDArray[np.int64]:
        return (inputs[:, 0, 0, 0] > 128).astype(np.int64)


def samples(first_pixels: list[float], labels: list[int]) -> Samples:
    images = np.zeros((len(labels), 1, 2, 2), np.float32)
    images[:, 0, 0, 0] = first_pixels
    return Samples(images, np.array(labels), DOMAIN)


def trigger(value: float, target: int = 1) -> Trigger:
    mask = np.zeros((2, 2), np.float32)
    mask[0, 0] = 1.0
    return Trigger(target, mask, np.full((1, 2, 2), value, np.float32))


def test_pictures_reach_the_model_in_its_own_range() -> None:
    held_out = samples([0.0, 1.0, 1.0, 0.0], [0, 1, 0, 0])
    assert evaluate(Threshold(), held_out, []).clean_accuracy == Rate(3, 4)  # type: ignore[arg-type]


def test_only_pictures_that_the_trigger_could_turn_are_counted() -> None:
    # right as 0; already predicted 1; truly 1 but predicted 0; right as 0
    held_out = samples([0.0, 1.0, 0.0, 0.2], [0, 0, 1, 0])
    result = evaluate(Threshold(), held_out, [trigger(1.0), trigger(0.1)])  # type: ignore[arg-type]
    assert [rate for _, rate in result.attack_success] == [Rate(2, 2), Rate(0, 2)]
    assert result.samples == 4
    assert result.provider == "CPUExecutionProvider"


def test_a_target_that_is_everywhere_gives_no_rate() -> None:
    held_out = samples([1.0, 1.0], [1, 1])
    predicted = np.array([1, 1])
    assert attack_success(Threshold(), held_out, trigger(1.0), predicted) == Rate(0, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("hits", "trials", "lower"), [(9, 10, 0.596), (90, 90, 0.959), (0, 10, 0.0), (0, 0, 0.0)])
def test_the_lower_end_is_wilsons(hits: int, trials: int, lower: float) -> None:
    assert Rate(hits, trials).lower == pytest.approx(lower, abs=5e-4)
