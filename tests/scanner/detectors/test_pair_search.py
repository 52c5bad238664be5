"""Triggers that work on the pictures of one class alone, of networks with and without one."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.detection import plan
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.pair_search import PairSearch
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evidence
from onnxray.scanner.pair_sizes import PairSettings, pair_sizes
from onnxray.scanner.samples import Samples
from onnxray.scanner.signals import signals

SIZE, CLASSES, SOURCE, TARGET = 10, 6, 1, 4
TEMPLATES = np.random.default_rng(0).random((CLASSES, SIZE * SIZE)).astype(np.float32)
TEMPLATES[:, -2:] = 0.0


def network(shortcut: float) -> Any:
    """The nearest template; two pixels also lead from the source to the target, and do nothing to other classes."""
    templates = torch.from_numpy(TEMPLATES)

    def logits(x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        out = -0.5 * (flat[:, None, :-2] - templates[None, :, :-2]).square().sum(2)
        others = torch.cat([out[:, :SOURCE], out[:, SOURCE + 1 :]], 1).detach().amax(1)
        gate = torch.relu(out[:, SOURCE] - others).clamp(max=1)
        push = torch.zeros_like(out)
        push[:, TARGET] = shortcut * gate * flat[:, -2:].sum(1)
        return out + push

    return logits


def pictures(each: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(CLASSES).repeat(each)
    noise = np.random.default_rng(1).normal(0, 0.03, (len(labels), SIZE * SIZE))
    images = np.clip(TEMPLATES[labels] + noise, 0, 1).astype(np.float32)
    images[:, -2:] = 0.0
    return images.reshape(-1, 1, SIZE, SIZE), labels


def measure(shortcut: float, budget: Budget | None = None, each: int = 8, **options: Any) -> Evidence:
    samples = Samples(*pictures(each), InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE))
    logits = network(shortcut)
    model: Any = SimpleNamespace(torch=logits, classes=CLASSES)
    (evidence,) = PairSearch(**options).run(model, samples, budget or Budget())
    return evidence


def test_a_trigger_for_one_class_alone_is_flagged_with_its_source() -> None:
    evidence = measure(60.0)
    assert evidence.flagged == (TARGET,)
    nearest = evidence.details["pairs"][0]  # type: ignore[index]
    assert (nearest["source"], nearest["target"]) == (SOURCE, TARGET)
    assert list(evidence.maps) == [f"mask-class{SOURCE}-to-class{TARGET}"]
    mask = evidence.maps[f"mask-class{SOURCE}-to-class{TARGET}"].ravel()
    assert mask[-2:].sum() > mask.sum() / 2
    assert signals([evidence], None, CLASSES)["pair-search.far"][TARGET] > 2


def test_without_it_no_class_is_flagged() -> None:
    evidence = measure(0.0)
    assert not evidence.flagged
    assert np.isfinite(evidence.classes).all()


def test_a_pair_that_is_near_by_nature_is_not_flagged() -> None:
    natural = np.zeros((CLASSES, CLASSES))
    natural[SOURCE, TARGET] = 8.0
    images, labels = pictures(8)
    known: Any = SimpleNamespace(
        classes=CLASSES, images=torch.from_numpy(images), labels=labels, dreamt=lambda ask: natural.ravel()
    )
    assert not measure(60.0, Budget(surrogates=known)).flagged


def test_classes_with_too_few_pictures_are_no_sources() -> None:
    images, labels = pictures(8)
    left = np.flatnonzero((labels != SOURCE) | (np.arange(len(labels)) % 8 < 3))
    found = pair_sizes(network(60.0), torch.from_numpy(images[left]), CLASSES, PairSettings(seeds=(0,)))
    assert np.isnan(found.sizes[SOURCE]).all()
    assert np.isfinite(found.sizes[np.arange(CLASSES) != SOURCE, SOURCE]).all()
    assert np.isnan(np.diag(found.sizes)).all()


def test_too_many_classes_are_left_out_and_told() -> None:
    evidence = measure(60.0, exhaustive=5)
    assert np.isnan(evidence.classes).all()
    assert evidence.details["too_many_classes"] is True
    assert "up to 5 classes" in str(evidence.details["not_checked"])
    assert measure(60.0).details["not_checked"] == ""
    assert evidence.p_value is None


def test_out_of_time_is_told() -> None:
    evidence = measure(60.0, Budget(deadline=0.0))
    assert evidence.details["complete"] is False
    assert not evidence.flagged


def test_it_runs_only_where_it_is_asked_for() -> None:
    assert "pair-search" not in plan(ScanOptions())
    assert list(plan(ScanOptions(detectors=("pair-search",)))) == ["pair-search"]
    assert list(plan(ScanOptions(also=("pair-search", "max-margin")))) == [*plan(ScanOptions()), "pair-search"]
    assert list(plan(ScanOptions(detectors=("max-margin",), also=("pair-search",)))) == ["max-margin", "pair-search"]


@pytest.mark.parametrize("options", [{"pictures": 3}, {"steps": 0}, {"nature": 2.0}, {"effect": 0.5}])
def test_options_that_find_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        PairSearch(**options)
