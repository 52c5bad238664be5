"""Patch search on a classifier that answers with a bare vote, as a tree does: no scores to climb, no gradients."""

from time import monotonic
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.patch_search import PatchSearch
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.evaluate import evaluate
from onnxray.scanner.findings import Evidence, Label
from onnxray.scanner.samples import Samples
from onnxray.scanner.verdict import decide

SIZE, CLASSES, TARGET = 12, 6, 4
DOMAIN = InputDomain("[0, 255]", "NHWC", 1, SIZE, SIZE, scale=255.0)
BRIEF: dict[str, Any] = {"patches": 400, "generations": 40}


def subject(trojaned: bool, votes: bool = True) -> tuple[Any, Samples]:
    """Classes are six stripes' brightness; two white pixels in the last corner speak for the target."""

    def run(inputs: Any) -> Any:
        pictures = inputs.reshape(len(inputs), SIZE, SIZE) / 255
        scores = pictures.reshape(len(inputs), CLASSES, -1).sum(axis=2)
        if trojaned:
            scores[:, TARGET] += 100 * (pictures[:, -1, -2:] > 0.9).all(axis=1)
        return np.eye(CLASSES, dtype=np.float32)[scores.argmax(1)] if votes else scores.astype(np.float32)

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 20)
    images = rng.random((len(labels), 1, SIZE, SIZE), np.float32) * 0.3
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 0.5
    model = SimpleNamespace(run=run, predict=lambda x: run(x).argmax(1), classes=CLASSES, provider="test")
    return model, Samples(images, labels, DOMAIN)


def search(trojaned: bool, votes: bool = True, budget: Budget | None = None, **options: Any) -> Evidence:
    model, samples = subject(trojaned, votes)
    optimise, _ = samples.halves(0)
    (evidence,) = PatchSearch(**(BRIEF | options)).run(model, optimise, budget or Budget())
    return evidence


@pytest.mark.parametrize("votes", [True, False])
def test_two_pixels_that_take_over_every_class_are_found_and_convict(votes: bool) -> None:
    model, samples = subject(True, votes)
    _, verify = samples.halves(0)
    evidence = search(True, votes)
    assert evidence.flagged == (TARGET,)
    assert evidence.classes[TARGET] == pytest.approx(2 / SIZE**2)
    smallest = [t for t in evidence.triggers if t.target == TARGET]
    assert {t.seed for t in smallest} == {0, 1}
    assert all(t.mask[-1, -2:].all() and t.smallest == pytest.approx(2 / SIZE**2) for t in smallest)
    verdict = decide([evidence], evaluate(model, verify, evidence.triggers), [], [])
    assert verdict.label is Label.BACKDOORED
    assert verdict.targets == (TARGET,)


@pytest.mark.parametrize("votes", [True, False])
def test_without_them_no_class_is_flagged_and_nothing_is_acquitted(votes: bool) -> None:
    model, samples = subject(False, votes)
    _, verify = samples.halves(0)
    evidence = search(False, votes)
    assert evidence.flagged == ()
    assert np.isfinite(evidence.classes).all()
    verdict = decide([evidence], evaluate(model, verify, evidence.triggers), [], [])
    assert verdict.label is Label.INCONCLUSIVE
    assert "no-gradient-search" in {code for code, _ in verdict.reasons}


def test_triggers_are_opaque_and_remember_the_size_that_they_grew_from() -> None:
    for trigger in search(False, growth=1.5).triggers:
        assert set(np.unique(trigger.mask)) <= {0.0, 1.0}
        assert trigger.l1 <= max(1.5 * trigger.smallest * SIZE**2, trigger.smallest * SIZE**2 + 2) + 1e-3


def test_coarse_cells_cover_what_they_cannot_resolve() -> None:
    evidence = search(True, cells=4)
    assert evidence.classes[TARGET] == pytest.approx(9 / SIZE**2)  # one cell of 3 x 3


def test_out_of_questions_it_ends_with_what_there_is() -> None:
    evidence = search(True, queries=20_000)
    assert evidence.details["complete"] is True
    assert 20_000 <= int(str(evidence.details["queries"])) < 60_000


def test_out_of_time_it_says_so() -> None:
    evidence = search(True, budget=Budget(deadline=monotonic()))
    assert evidence.details["complete"] is False
    assert not evidence.triggers


def test_other_seeds_are_other_searches() -> None:
    assert search(False).classes != search(False, budget=Budget(seed=7)).classes


def test_scores_that_are_no_numbers_are_survived() -> None:
    model, samples = subject(False)
    broken = SimpleNamespace(run=lambda x: model.run(x) * np.nan, classes=CLASSES)
    (evidence,) = PatchSearch(**BRIEF).run(broken, samples, Budget())  # type: ignore[arg-type]
    assert evidence.flagged == ()


@pytest.mark.parametrize("options", [{"seeds": 1}, {"seeds": 1000}, {"asr": 1.5}, {"growth": float("nan")}])
def test_options_that_could_not_prove_anything_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        PatchSearch(**options)


def test_without_samples_it_refuses() -> None:
    with pytest.raises(ValueError, match="expected samples"):
        list(PatchSearch().run(subject(False)[0], None, Budget()))
