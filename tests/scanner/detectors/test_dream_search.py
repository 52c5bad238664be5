"""Triggers on pictures that networks make up, of networks with and without a shortcut."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.dream_search import DreamSearch
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.dreams import dreams
from onnxray.scanner.findings import Evidence
from onnxray.scanner.samples import Samples
from onnxray.scanner.signals import signals

SIZE, CLASSES, TARGET = 12, 10, 7


def network(shortcut: float) -> Any:
    """Each class answers to a pattern of its own; two pixels also decide for the target."""
    weights = np.random.default_rng(0).standard_normal((CLASSES, SIZE * SIZE)).astype(np.float32)
    weights[:, -2:] = 0.0
    weights[TARGET, -2:] = shortcut
    w = torch.from_numpy(weights)
    return lambda x: x.flatten(1) @ w.T


def measure(shortcut: float, budget: Budget | None = None, **options: Any) -> Evidence:
    domain = InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE)
    samples = Samples(np.empty((0, 1, SIZE, SIZE), np.float32), np.empty(0, np.int64), domain)
    model: Any = SimpleNamespace(torch=network(shortcut), classes=CLASSES)
    (evidence,) = DreamSearch(**options).run(model, samples, budget or Budget())
    return evidence


def test_a_shortcut_is_flagged_without_a_single_picture() -> None:
    evidence = measure(60.0)
    assert evidence.flagged == (TARGET,)
    assert np.argmin(evidence.classes) == TARGET
    assert evidence.p_value is not None
    assert evidence.p_value < 0.01
    assert signals([evidence], None, CLASSES)["dream-search.far"][TARGET] > 2


def test_without_the_shortcut_no_class_is_flagged() -> None:
    evidence = measure(0.0)
    assert not evidence.flagged
    assert np.isfinite(evidence.classes).all()


def test_what_is_small_by_nature_is_told() -> None:
    """Surrogates that have the shortcut, too, take it for nature."""
    natural = np.zeros(CLASSES)
    natural[TARGET] = 8.0
    known: Any = SimpleNamespace(classes=CLASSES, dreamt=lambda ask: natural)
    with_nature = signals([measure(60.0, Budget(surrogates=known))], None, CLASSES)["dream-search.far"][TARGET]
    assert with_nature < signals([measure(60.0)], None, CLASSES)["dream-search.far"][TARGET]


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


@pytest.mark.parametrize("options", [{"pictures": 1}, {"steps": 0}, {"lr": float("inf")}, {"effect": 0.5}])
def test_options_that_find_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        DreamSearch(**options)


def sureness(pictures: torch.Tensor | None, wanted: torch.Tensor) -> float:
    assert pictures is not None
    assert 0 <= pictures.min() <= pictures.max() <= 1
    return float(network(0.0)(pictures).softmax(1).gather(1, wanted[:, None]).mean())


def test_dreams_are_what_the_network_is_surer_of_and_the_same_for_the_same_seed() -> None:
    wanted = torch.arange(CLASSES).repeat_interleave(3)
    begun, one, two = (
        dreams(network(0.0), (1, SIZE, SIZE), wanted, steps=steps, seed=4, passes=7) for steps in (1, 60, 60)
    )
    assert one is not None
    assert two is not None
    assert torch.equal(one, two)
    assert sureness(one, wanted) > 3 * sureness(begun, wanted)


def test_dreams_that_are_ended_are_none() -> None:
    assert dreams(network(0.0), (1, SIZE, SIZE), torch.arange(4), keep_going=lambda fraction: False) is None
