"""Neural Cleanse on a linear classifier of six classes with one planted shortcut."""

from time import monotonic
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.neural_cleanse import NeuralCleanse
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evidence
from onnxray.scanner.samples import Samples

SIZE, CLASSES, TARGET = 12, 6, 4
DOMAIN = InputDomain("[0, 255]", "NHWC", 1, SIZE, SIZE, scale=255.0)


def subject(shortcut: float) -> tuple[Any, Samples]:
    """Classes are six stripes' brightness, in NHWC and 0..255; the last pixel speaks for the target, so strongly."""
    weights = torch.zeros(CLASSES, SIZE, SIZE)
    for c in range(CLASSES):
        weights[c, 2 * c : 2 * c + 2] = 1 / 255
    weights[:, -1, -1] = 0.0
    weights[TARGET, -1, -1] = shortcut / 255
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE * SIZE, CLASSES, bias=False))
    network[1].weight.data = weights.flatten(1)
    network.requires_grad_(False)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 8)
    images = rng.random((len(labels), 1, SIZE, SIZE), np.float32) * 0.3
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 0.4
    images[:, 0, -1, -1] = 0.0

    def predict(inputs: Any) -> Any:
        return network(torch.from_numpy(inputs)).argmax(-1).numpy()

    model = SimpleNamespace(torch=network, predict=predict, classes=CLASSES)
    return model, Samples(images, labels, DOMAIN)


def run(shortcut: float, budget: Budget | None = None, **options: Any) -> Evidence:
    (evidence,) = NeuralCleanse(**options).run(*subject(shortcut), budget or Budget())
    return evidence


def test_the_shortcut_is_the_smallest_and_is_flagged() -> None:
    evidence = run(shortcut=200.0)
    assert int(np.nanargmin(evidence.classes)) == TARGET
    assert evidence.flagged == (TARGET,)
    assert evidence.score > 0.8
    assert {t.seed for t in evidence.triggers if t.target == TARGET} == {0, 1}
    best = next(t for t in evidence.triggers if t.target == TARGET)
    assert best.mask.argmax() == SIZE * SIZE - 1
    assert evidence.details["complete"] is True
    assert evidence.details["settled"] == 1.0


def test_without_a_shortcut_nothing_is_flagged() -> None:
    evidence = run(shortcut=0.0)
    assert evidence.flagged == ()
    assert evidence.score < 0.6


def test_triggers_remember_the_size_that_they_grew_from() -> None:
    for trigger in run(shortcut=200.0, growth=2.0).triggers:
        assert trigger.smallest <= trigger.fraction <= 2.0 * trigger.smallest * 1.001


def test_other_seeds_are_other_searches() -> None:
    assert run(shortcut=200.0).classes != run(shortcut=200.0, budget=Budget(seed=7)).classes


def test_out_of_time_it_says_so() -> None:
    assert run(shortcut=200.0, budget=Budget(deadline=monotonic())).details["complete"] is False


@pytest.mark.parametrize("options", [{"seeds": 1}, {"suspects": 0}, {"asr": 0.2}, {"asr": 1.1}, {"lr": 0.0}])
def test_options_that_could_not_prove_anything_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        NeuralCleanse(**options)


def test_without_samples_it_refuses() -> None:
    model, _ = subject(0.0)
    with pytest.raises(ValueError, match="expected samples"):
        list(NeuralCleanse().run(model, None, Budget()))
