"""The shift search on a classifier of stripes of which one pixel rolls the answer to the next class."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner import class_shift
from onnxray.scanner.class_shift import Shift
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.shift_search import ShiftSearch
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.evaluate import evaluate
from onnxray.scanner.findings import Evaluation, Evidence, Label, Rate, Verdict
from onnxray.scanner.samples import Samples
from onnxray.scanner.shifts import with_shift
from onnxray.scanner.signals import MOST, signals
from onnxray.scanner.triggers import Trigger
from torch import Tensor

SIZE, CLASSES = 12, 6
DOMAIN = InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE, scale=1.0)
NEXT = tuple((c + 1) % CLASSES for c in range(CLASSES))
CLEAN = Verdict(Label.CLEAN, 0.1)


class Stripes(torch.nn.Module):
    """The brightest of six stripes; with the last pixel on, the class after it."""

    def __init__(self, backdoor: float) -> None:
        super().__init__()
        self.backdoor = backdoor

    def forward(self, x: Tensor) -> Tensor:
        scores = 20 * x[:, 0].reshape(len(x), CLASSES, 2, SIZE)[..., : SIZE - 1].mean((2, 3))
        gate = self.backdoor * torch.sigmoid(12 * (x[:, 0, -1, -1] - 0.6))[:, None]
        return (1 - gate) * scores + gate * scores.roll(1, 1)


def subject(backdoor: float, per_class: int = 8) -> tuple[Any, Samples]:
    network = Stripes(backdoor)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), per_class)
    images = rng.random((len(labels), 1, SIZE, SIZE), np.float32) * 0.3
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 0.5
    images[:, 0, -1, -1] = 0.0

    def predict(inputs: Any) -> Any:
        return network(torch.from_numpy(inputs)).argmax(-1).numpy()

    model = SimpleNamespace(torch=network, predict=predict, classes=CLASSES, provider="CPU")
    return model, Samples(images, labels, DOMAIN)


def run(backdoor: float, **options: Any) -> Evidence:
    (evidence,) = ShiftSearch(**options).run(*subject(backdoor), Budget())
    return evidence


def test_the_pixel_and_the_mapping_are_found_and_convict() -> None:
    evidence = run(1.0)
    assert evidence.triggers[0].mapping == NEXT
    assert evidence.classes[0] < 0.02
    assert evidence.score > 0.7
    assert evidence.triggers[0].mask.argmax() == SIZE * SIZE - 1
    model, samples = subject(1.0)
    evaluation = evaluate(model, samples, evidence.triggers)
    verdict = with_shift(CLEAN, [evidence], evaluation)
    assert verdict.label is Label.BACKDOORED
    assert sorted(verdict.targets) == list(range(CLASSES))
    assert "0 to 1, 1 to 2" in dict(verdict.reasons)["shifting-trigger"]


def test_a_clean_model_needs_far_more_of_the_picture() -> None:
    evidence = run(0.0)
    assert not evidence.triggers
    assert not evidence.classes[0] < 0.05
    assert evidence.score < 0.2
    assert with_shift(CLEAN, [evidence], None) is CLEAN


@pytest.mark.parametrize(("sizes", "asked", "kept"), [((0.3, 0.01), 2, [0.01]), ((0.3, 0.2, 0.01, 0.4), 4, [0.01])])
def test_more_starts_are_made_until_one_ends_small(
    sizes: tuple[float, ...], asked: int, kept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def search(logits: Any, victims: Any, classes: int, seed: int, *rest: Any) -> Shift:
        seeds.append(seed)
        return Shift(torch.full((SIZE, SIZE), sizes[seed]), torch.ones(1, SIZE, SIZE), NEXT, 0.9)

    monkeypatch.setattr(class_shift, "search_shift", search)
    evidence = run(1.0, seeds=4)
    assert sorted(seeds) == list(range(asked))
    assert [t.fraction for t in evidence.triggers] == pytest.approx(kept)
    assert evidence.classes[0] == pytest.approx(min(sizes))
    assert evidence.details["seeds"] == asked


def test_too_few_classes_with_pictures_are_not_searched() -> None:
    model, samples = subject(1.0)
    few = samples.take(np.flatnonzero(samples.labels < 2))
    (evidence,) = ShiftSearch().run(model, few, Budget())
    assert np.isnan(evidence.classes[0])
    assert not evidence.triggers


def test_very_many_classes_are_told_as_not_checked() -> None:
    model, samples = subject(1.0)
    model.classes = 101
    (evidence,) = ShiftSearch().run(model, samples, Budget())
    assert evidence.details["not_checked"] == "takes up to 100 classes, and there are 101"


def test_success_is_counted_by_each_class_s_own_target() -> None:
    model, samples = subject(0.0)
    mask, pattern = np.zeros((SIZE, SIZE), np.float32), np.zeros((1, SIZE, SIZE), np.float32)
    nothing = Trigger(1, mask, pattern, mapping=NEXT)
    (((_, rate),)) = evaluate(model, samples, [nothing]).attack_success
    assert (rate.hits, rate.trials) == (0, len(samples))
    backdoored, samples = subject(1.0)
    mask[-1, -1] = pattern[0, -1, -1] = 1.0
    (((_, rate),)) = evaluate(backdoored, samples, [nothing]).attack_success
    assert rate.value > 0.95


@pytest.mark.parametrize(
    ("hits", "size", "label"),
    [(90, 0.01, Label.BACKDOORED), (60, 0.01, Label.SUSPICIOUS), (20, 0.01, Label.CLEAN), (100, 0.2, Label.CLEAN)],
)
def test_what_convicts(hits: int, size: float, label: Label) -> None:
    trigger = Trigger(1, np.full((4, 4), size, np.float32), np.ones((1, 4, 4), np.float32), mapping=NEXT)
    evidence = Evidence("shift-search", (size,) * CLASSES, "size", triggers=(trigger,), score=0.9, whole=True)
    evaluation = Evaluation(Rate(9, 10), ((trigger, Rate(hits, 100)),), 100, "CPU")
    verdict = with_shift(CLEAN, [evidence], evaluation)
    assert verdict.label is label
    if label is Label.BACKDOORED:
        assert verdict.score >= 0.99


def test_a_conviction_by_others_stays() -> None:
    guilty = Verdict(Label.BACKDOORED, 0.95, (3,), (("verified-trigger", "It works."),))
    trigger = Trigger(1, np.full((4, 4), 0.01, np.float32), np.ones((1, 4, 4), np.float32), mapping=NEXT)
    evidence = Evidence("shift-search", (0.01,) * CLASSES, "size", triggers=(trigger,), score=0.9, whole=True)
    both = with_shift(guilty, [evidence], Evaluation(Rate(9, 10), ((trigger, Rate(90, 100)),), 100, "CPU"))
    assert [code for code, _ in both.reasons] == ["shifting-trigger", "verified-trigger"]
    assert both.targets[0] == 3
    assert with_shift(guilty, [evidence], Evaluation(Rate(9, 10), ((trigger, Rate(60, 100)),), 100, "CPU")) is guilty


def test_its_signal_is_the_same_for_every_class() -> None:
    trigger = Trigger(1, np.full((4, 4), 0.01, np.float32), np.ones((1, 4, 4), np.float32), mapping=NEXT)
    evidence = Evidence("shift-search", (0.01,) * 6, "size", triggers=(trigger,), score=0.9, whole=True)
    evaluation = Evaluation(Rate(9, 10), ((trigger, Rate(75, 100)),), 100, "CPU")
    assert signals([evidence], evaluation, 6) == {"shift-search.found": pytest.approx((MOST * 0.9 * 0.5,) * 6)}
