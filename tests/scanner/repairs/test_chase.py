"""Triggers that follow weights which have begun to forget them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.repairs._chase import Chase
from onnxray.scanner.samples import Samples
from onnxray.scanner.triggers import Trigger

SIZE, CLASSES, TARGET = 8, 4, 1
DOMAIN = InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE)


def network(pixel: int) -> torch.nn.Module:
    """The brightest quarter's class; one pixel, if bright, decides for the target."""
    weights = torch.zeros(CLASSES, SIZE * SIZE)
    for c in range(CLASSES):
        weights[c, c * 16 : (c + 1) * 16] = 0.2
    weights[TARGET, pixel] = 6.0
    layer = torch.nn.Linear(SIZE * SIZE, CLASSES, bias=False)
    layer.weight.data = weights
    return torch.nn.Sequential(torch.nn.Flatten(), layer)


def samples() -> Samples:
    labels = np.arange(40) % CLASSES
    images = np.random.default_rng(0).random((40, 1, SIZE, SIZE), np.float32) * 0.1
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] = 0.6
    return Samples(images, labels, DOMAIN)


def trigger(pixel: int, mapping: tuple[int, ...] | None = None) -> Trigger:
    """Half over the pixel and half over its right neighbour."""
    mask = np.zeros(SIZE * SIZE, np.float32)
    mask[[pixel, pixel + 1]] = 0.5
    return Trigger(TARGET, mask.reshape(SIZE, SIZE), np.full((1, SIZE, SIZE), 0.5, np.float32), mapping=mapping)


def success(net: torch.nn.Module, made: Trigger, of: Samples) -> float:
    with torch.no_grad():
        answers = net(torch.from_numpy(made.stamp(of.images))).argmax(1).numpy()
    others: NDArray[np.bool_] = of.labels != TARGET
    return float((answers[others] == TARGET).mean())


def test_a_trigger_follows_to_the_pixel_that_still_works_and_grows_no_larger() -> None:
    """The model reads the right one of the two pixels only: the trigger's mask and light go there."""
    net, of, old = network(21), samples(), trigger(20)
    chase, rng = Chase(net, of, [old], "cpu"), np.random.default_rng(0)
    before = [parameter.detach().clone() for parameter in net.parameters()]
    (new,) = chase.moved(150, rng)
    assert success(net, new, of) > success(net, old, of) + 0.2
    assert new.fraction < 1.15 * old.fraction
    assert new.mask.reshape(-1)[21] > old.mask.reshape(-1)[21]
    assert new.target == TARGET
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, net.parameters(), strict=True))


def test_without_a_step_they_are_as_they_were() -> None:
    (same,) = Chase(network(21), samples(), [trigger(20)], "cpu").now()
    assert same.mask == pytest.approx(trigger(20).mask, abs=2e-3)
    assert same.pattern == pytest.approx(trigger(20).pattern, abs=2e-3)


def test_each_class_has_its_own_goal_where_there_is_a_mapping() -> None:
    """Towards each class's own answer nothing pulls: those pictures do not count."""
    still = Chase(network(21), samples(), [trigger(20, mapping=tuple(range(CLASSES)))], "cpu")
    start = still.now()[0]
    still.step(np.random.default_rng(0))
    assert np.array_equal(still.now()[0].mask, start.mask)
    moved = Chase(network(21), samples(), [trigger(20, mapping=(1, 2, 3, 0))], "cpu")
    moved.step(np.random.default_rng(0))
    assert not np.array_equal(moved.now()[0].mask, start.mask)


def test_of_no_trigger_there_are_no_copies() -> None:
    assert Chase(network(21), samples(), [], "cpu").moved(2, np.random.default_rng(0)) == []
