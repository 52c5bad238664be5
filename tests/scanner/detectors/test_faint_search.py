"""The faint search on a linear classifier of which one class follows a pattern all over the picture."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from onnxray.scanner.accusations import accusations
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.faint_search import FaintSearch
from onnxray.scanner.detectors.neural_cleanse import NeuralCleanse
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evaluation, Evidence, Rate
from onnxray.scanner.samples import Samples

SIZE, CLASSES, TARGET = 12, 6, 4
DOMAIN = InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE, scale=1.0)


def subject(strength: float) -> tuple[Any, Samples]:
    """Classes are six stripes' brightness; a chequered pattern over the whole picture speaks for the target."""
    chequers = torch.tensor([[(-1.0) ** (row + column) for column in range(SIZE)] for row in range(SIZE)])
    weights = torch.zeros(CLASSES, SIZE, SIZE)
    for c in range(CLASSES):
        weights[c, 2 * c : 2 * c + 2] = 1.0
    weights[TARGET] += strength * chequers
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE * SIZE, CLASSES, bias=False))
    network[1].weight.data = weights.flatten(1)
    network.requires_grad_(False)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 8)
    images = rng.random((len(labels), 1, SIZE, SIZE), np.float32) * 0.1 + 0.3
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 0.4

    def predict(inputs: Any) -> Any:
        return network(torch.from_numpy(inputs)).argmax(-1).numpy()

    return SimpleNamespace(torch=network, predict=predict, classes=CLASSES), Samples(images, labels, DOMAIN)


def run(strength: float) -> Evidence:
    (evidence,) = FaintSearch().run(*subject(strength), Budget())
    return evidence


def test_the_pattern_is_the_faintest_and_is_flagged() -> None:
    evidence = run(strength=1.5)
    assert evidence.flagged[0] == TARGET
    assert evidence.classes[TARGET] < 0.5 * np.median(evidence.classes)
    trigger = next(t for t in evidence.triggers if t.target == TARGET)
    assert trigger.norm == "l2"
    assert (trigger.mask > 0.01).mean() > 0.8  # spread over the picture, and faint
    assert trigger.smallest <= trigger.size <= 1.5 * trigger.smallest + 1e-6


def test_without_a_pattern_nothing_is_flagged() -> None:
    assert run(strength=0.0).flagged == ()


def test_the_two_searches_see_different_shortcuts() -> None:
    """The pattern is many weak changes: it is rarer by the faint search's measure than by that of the area."""
    (by_area,) = NeuralCleanse().run(*subject(1.5), Budget())
    by_strength = run(strength=1.5)
    ratios = [e.classes[TARGET] / np.median(e.classes) for e in (by_strength, by_area)]
    assert ratios[0] < ratios[1]


def test_an_accusation_tells_strength_and_not_area() -> None:
    evidence = run(strength=1.5)
    judged = tuple((t, Rate(50, 50)) for t in evidence.triggers)
    first = next(a for a in accusations([evidence], Evaluation(Rate(9, 10), judged, 50, "CPU")) if a.target == TARGET)
    assert "of full strength" in first.extent
    assert first.share == max(t.smallest for t in evidence.triggers if t.target == TARGET)
