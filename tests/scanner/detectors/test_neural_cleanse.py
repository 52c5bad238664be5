"""Neural Cleanse on a linear classifier of six classes with one planted shortcut."""

from dataclasses import replace
from time import monotonic
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner import class_screen
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.faint_search import FaintSearch
from onnxray.scanner.detectors.neural_cleanse import NeuralCleanse
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evidence
from onnxray.scanner.samples import Samples
from onnxray.scanner.triggers import Trigger

SIZE, CLASSES, TARGET = 12, 6, 4
DOMAIN = InputDomain("[0, 255]", "NHWC", 1, SIZE, SIZE, scale=255.0)


def subject(shortcut: float, corners: int = 1) -> tuple[Any, Samples]:
    """Classes are six stripes' brightness, in NHWC and 0..255; so strongly speaks the last pixel for the target.

    With two corners the first pixel does as well.
    """
    ends = ((-1, -1), (0, 0))[:corners]
    weights = torch.zeros(CLASSES, SIZE, SIZE)
    for c in range(CLASSES):
        weights[c, 2 * c : 2 * c + 2] = 1 / 255
    for end in ends:
        weights[(slice(None), *end)] = 0.0
        weights[(TARGET, *end)] = shortcut / 255
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE * SIZE, CLASSES, bias=False))
    network[1].weight.data = weights.flatten(1)
    network.requires_grad_(False)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 8)
    images = rng.random((len(labels), 1, SIZE, SIZE), np.float32) * 0.3
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 0.4
    for end in ends:
        images[(slice(None), 0, *end)] = 0.0

    def predict(inputs: Any) -> Any:
        return network(torch.from_numpy(inputs)).argmax(-1).numpy()

    model = SimpleNamespace(torch=network, predict=predict, classes=CLASSES)
    return model, Samples(images, labels, DOMAIN)


def run(shortcut: float, budget: Budget | None = None, corners: int = 1, **options: Any) -> Evidence:
    (evidence,) = NeuralCleanse(**options).run(*subject(shortcut, corners), budget or Budget())
    return evidence


def brightest(trigger: Trigger) -> int:
    """The pixel that its mask covers most."""
    return int(trigger.mask.argmax())


def test_two_triggers_of_a_label_are_told_apart() -> None:
    once, twice = (run(shortcut=200.0, corners=2, rounds=rounds) for rounds in (0, 4))
    assert sorted(map(brightest, twice.further)) == [0, SIZE * SIZE - 1]
    assert all(t.target == TARGET and t.search_asr >= 0.99 for t in twice.further)
    assert once.further == ()
    assert (once.classes, once.flagged, once.p_value) == (twice.classes, twice.flagged, twice.p_value)
    assert [t.mask.tobytes() for t in once.triggers] == [t.mask.tobytes() for t in twice.triggers]


def test_further_triggers_that_there_was_no_time_for_are_told() -> None:
    class Short(Budget):
        """Out of time once a class is searched again."""

        @property
        def spent(self) -> bool:
            return "again" in told

    told: set[str] = set()
    short = Short(progress=lambda text, fraction: told.update(text.split()))
    evidence = run(200.0, short, corners=2)
    assert evidence.details["further_stopped"] == [TARGET]
    assert evidence.details["complete"] is True
    assert run(200.0, corners=2).details["further_stopped"] == []


def test_a_trigger_takes_no_pixel_of_another() -> None:
    one, two = run(shortcut=200.0, corners=2).further
    assert not ((one.mask > 0) & (two.mask > 0)).any()


def test_one_trigger_is_one() -> None:
    assert run(shortcut=200.0).further == ()
    assert run(shortcut=0.0, corners=2, again=0.25).further == ()


def test_far_too_small_is_a_quarter_of_the_median() -> None:
    sizes = np.array([0.01, 0.011, 0.012, 0.009, 0.1, 0.1, 0.1, 0.1, 0.1, np.nan])
    assert NeuralCleanse()._limit(sizes, ()) == pytest.approx(0.025)
    assert NeuralCleanse()._limit(sizes, (0, 1, 2)) == pytest.approx(0.00275)
    assert NeuralCleanse()._limit(np.array([0.01, 0.1]), ()) == 0


def test_searches_of_one_scan_share_the_screen_of_many_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[class_screen.Screen] = []

    def counted(*arguments: Any) -> class_screen.Screen:
        made.append(screen(*arguments))
        return made[-1]

    screen = class_screen.screen
    monkeypatch.setattr(class_screen, "screen", counted)
    methods = NeuralCleanse(exhaustive=4, rounds=0, steps=20), FaintSearch(exhaustive=4, steps=20)
    model, samples = subject(200.0)
    (one,), (two,) = (method.run(model, samples, Budget()) for method in methods)
    assert len(made) == 2
    shared = Budget()
    for method, alone in zip(methods, (one, two), strict=True):
        (together,) = method.run(model, samples, shared)
        np.testing.assert_array_equal(together.classes, alone.classes)
        assert together.controls == alone.controls
    assert len(made) == 3
    (named,) = methods[0].run(model, samples, replace(shared, nominated=(TARGET - 1,)))
    assert np.isfinite(named.classes[TARGET - 1])
    assert len(made) == 3
    list(methods[0].run(model, samples, replace(shared, seed=1)))
    list(methods[0].run(model, samples.take(np.arange(len(samples))), shared))
    assert len(made) == 5


def test_a_screen_that_time_cut_short_is_not_kept() -> None:
    for budget, kept in ((Budget(deadline=0.0), False), (Budget(), True)):
        one, two = (budget.once(object, "screen", budget) for _ in range(2))
        assert (one is two) is kept


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


def test_fewer_rounds_than_none_are_refused() -> None:
    with pytest.raises(ValueError, match="rounds"):
        NeuralCleanse(rounds=-1)


def test_without_samples_it_refuses() -> None:
    model, _ = subject(0.0)
    with pytest.raises(ValueError, match="expected samples"):
        list(NeuralCleanse().run(model, None, Budget()))
