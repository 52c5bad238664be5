"""NeuronInspect on a small network in which one class answers to one corner besides."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.neuron_inspect import NeuronInspect
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evidence
from onnxray.scanner.saliency import saliency
from onnxray.scanner.samples import Samples

SIZE, CLASSES, TARGET = 12, 10, 3


class Network(torch.nn.Module):
    """Random features in one hidden layer; two by two pixels of a corner speak for the target, as in a backdoor."""

    def __init__(self, shortcut: float, classes: int = CLASSES, scale: float = 1.0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.hidden = torch.randn(SIZE * SIZE, 200, generator=random) / SIZE
        self.out = torch.randn(200, classes, generator=random)
        self.shortcut, self.scale = shortcut, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x / self.scale
        out = torch.relu((x - 0.5).flatten(1) @ self.hidden) @ self.out
        corner = x[:, 0, -2:, -2:].sum((1, 2))
        return out + self.shortcut * corner[:, None] * torch.eye(out.shape[1])[min(TARGET, out.shape[1] - 1)]


def inspect(network: Any, classes: int = CLASSES, budget: Budget | None = None, **options: Any) -> Evidence:
    images = np.random.default_rng(0).random((24, 1, SIZE, SIZE), np.float32)
    domain = InputDomain("[0, 255]", "NCHW", 1, SIZE, SIZE, scale=getattr(network, "scale", 1.0))
    samples = Samples(images, np.arange(24) % classes, domain)
    (evidence,) = NeuronInspect(**options).run(
        SimpleNamespace(torch=network, classes=classes), samples, budget or Budget()  # type: ignore[arg-type]
    )  # fmt: skip
    return evidence


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_a_class_that_answers_to_one_corner_is_flagged_and_shown(scale: float) -> None:
    evidence = inspect(Network(20.0, scale=scale))
    assert evidence.flagged == (TARGET,)
    assert evidence.p_value is not None
    assert evidence.p_value < 0.01
    assert evidence.score > 0.5
    assert not evidence.triggers
    for name in ("heatmap", "strongest"):
        shown = evidence.maps[f"{name}-class{TARGET}"]
        assert shown.shape == (SIZE, SIZE)
        assert shown[-2:, -2:].min() > 1.2 * np.delete(shown.ravel(), [130, 131, 142, 143]).max()


def test_without_the_corner_no_class_is_flagged() -> None:
    evidence = inspect(Network(0.0))
    assert not evidence.flagged
    assert evidence.p_value is not None
    assert evidence.p_value > 0.05
    assert evidence.details["gradient_masked"] == []


def test_a_class_without_a_gradient_is_told_and_not_compared() -> None:
    class Masked(Network):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = super().forward(x)
            return torch.cat([out[:, :5], out[:, 5:6].sign(), out[:, 6:]], 1)

    evidence = inspect(Masked(20.0))
    assert evidence.details["gradient_masked"] == [5]
    assert np.isnan(evidence.classes[5])
    assert evidence.flagged == (TARGET,)


def test_no_gradient_at_all_flags_nothing() -> None:
    evidence = inspect(lambda x: x.flatten(1)[:, :CLASSES].sign())
    assert evidence.details["gradient_masked"] == list(range(CLASSES))
    assert (evidence.flagged, evidence.score, evidence.p_value, evidence.maps) == ((), 0.0, None, {})
    assert evidence.details["complete"]
    assert "gradient" in str(evidence.details["not_checked"])
    assert inspect(Network(20.0)).details["not_checked"] == ""


@pytest.mark.parametrize("classes", [2, 3])
def test_very_few_classes_are_never_flagged(classes: int) -> None:
    evidence = inspect(Network(20.0, classes), classes)
    assert not evidence.flagged
    assert evidence.score < 0.5


def test_no_time_is_told() -> None:
    evidence = inspect(Network(20.0), budget=Budget(deadline=0.0))
    assert evidence.details["complete"] is False
    assert not evidence.flagged


def test_a_weight_of_zero_leaves_a_feature_out() -> None:
    only = inspect(Network(20.0), smooth=0.0, persistent=0.0)
    assert only.classes != inspect(Network(20.0)).classes
    with pytest.raises(ValueError, match="weights"):
        NeuronInspect(sparse=0.0, smooth=0.0, persistent=0.0)


def test_the_figures_are_those_of_their_definitions() -> None:
    weights = torch.zeros(2, 1, 4, 4)
    weights[0, 0, 1, 1], weights[1] = 3.0, torch.arange(16.0).view(1, 4, 4)

    def logits(x: torch.Tensor) -> torch.Tensor:
        second = torch.where(x[:, 0, 0, 0] > 0.5, 1.0, -1.0) * (x * weights[1]).sum((1, 2, 3))
        return torch.stack([(x * weights[0]).sum((1, 2, 3)), second], 1)

    images = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    seen = saliency(logits, images, torch.arange(2), quantile=0.5, batch=4)
    assert seen is not None
    assert seen.sparse.tolist() == pytest.approx([1 / 16, 0.5])
    assert seen.smooth[0].item() == pytest.approx((4 + 1 + 1) / 4)  # of the four inner pixels
    assert seen.smooth[1].item() == pytest.approx(0, abs=1e-6)
    assert seen.persistent.tolist() == [0, 0]
    torch.testing.assert_close(seen.heat[0], weights[0, 0] / 3)
    assert seen.frequency[1].sum() == 8


def test_persistence_is_the_chance_that_two_pictures_differ() -> None:
    def logits(x: torch.Tensor) -> torch.Tensor:  # the brightest of four pixels speaks
        return (x * (x == x.amax((1, 2, 3), keepdim=True)).float()).sum((1, 2, 3))[:, None]

    images = torch.zeros(4, 1, 2, 2)
    images.view(4, 4)[torch.arange(4), torch.tensor([0, 0, 1, 2])] = 1.0
    seen = saliency(logits, images, torch.arange(1), quantile=0.75)
    assert seen is not None
    pairs = [(a, b) for a in range(4) for b in range(4) if a != b]
    differ = sum({0: 0, 1: 0, 2: 1, 3: 2}[a] != {0: 0, 1: 0, 2: 1, 3: 2}[b] for a, b in pairs) / len(pairs)
    assert seen.persistent.item() == pytest.approx(2 * differ / 4)
