"""The screen on a linear classifier of forty classes, one of which has a shortcut."""

import numpy as np
import pytest
import torch
from onnxray.scanner.class_screen import ScreenSettings, screen
from onnxray.scanner.margins import largest_margins
from onnxray.scanner.victims import Victims

SIZE, CLASSES, TARGET = 8, 40, 17


def forty_classes(shortcut: float) -> tuple[torch.nn.Module, Victims]:
    """Each class answers to a faint pattern of its own; two pixels also decide for the target."""
    random = torch.Generator().manual_seed(0)
    weights = torch.randn(CLASSES, 1, SIZE, SIZE, generator=random)
    weights[:, 0, -1, -2:] = 0.0
    weights[TARGET, 0, -1, -2:] = shortcut
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE * SIZE, CLASSES, bias=False))
    model[1].weight.data = weights.flatten(1)
    model.requires_grad_(False)
    images = torch.rand(64, 1, SIZE, SIZE, generator=random) * 0.6
    images[:, 0, -1, -2:] = 0.0
    return model, Victims(images, model(images).argmax(-1))


def test_it_names_the_class_with_the_shortcut() -> None:
    model, victims = forty_classes(30.0)
    found = screen(model, victims, CLASSES, 0, ScreenSettings(suspects=1))
    assert TARGET in found.suspects
    assert set(found.suspects) | set(found.controls) == set(found.chosen)
    assert len(found.chosen) <= 14 + 3


def test_without_a_shortcut_that_class_is_nothing_special() -> None:
    model, victims = forty_classes(0.0)
    assert TARGET not in screen(model, victims, CLASSES, 0, ScreenSettings(suspects=1)).suspects


def test_controls_are_drawn_blindly_and_by_the_seed() -> None:
    one, two = (forty_classes(s) for s in (30.0, 0.0))
    settings = ScreenSettings(steps=2)
    assert screen(*one, CLASSES, 0, settings).controls == screen(*two, CLASSES, 0, settings).controls
    assert screen(*one, CLASSES, 0, settings).controls != screen(*one, CLASSES, 1, settings).controls
    assert len(screen(*one, CLASSES, 0, settings).controls) == settings.drawn(CLASSES) == 14


def test_blocks_change_nothing() -> None:
    model, victims = forty_classes(30.0)
    whole = screen(model, victims, CLASSES, 0, ScreenSettings())
    assert screen(model, victims, CLASSES, 0, ScreenSettings(block=7, micro_batch=16)) == whole


def test_a_screen_that_is_stopped_keeps_what_it_has() -> None:
    model, victims = forty_classes(30.0)
    found = screen(model, victims, CLASSES, 0, ScreenSettings(), lambda fraction: False)
    assert 1 <= len(found.suspects) <= 4
    assert len(found.controls) == 14


def test_the_largest_margin_is_that_of_a_linear_model() -> None:
    model, _ = forty_classes(30.0)
    weights = model[1].weight  # type: ignore[index]
    margins = largest_margins(model, (1, SIZE, SIZE), torch.arange(CLASSES), steps=40, passes=32)
    random_inputs = torch.rand(500, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(9))
    out = model(random_inputs)
    own = out.max(1).values - out.topk(2, dim=1).values[:, 1]
    for c in range(CLASSES):
        won = out.argmax(1) == c
        assert not won.any() or margins[c] >= own[won].max()
        bound = min(float((weights[c] - weights[j]).clamp(min=0).sum()) for j in range(CLASSES) if j != c)
        assert margins[c] <= bound + 1e-4
    assert int(margins.argmax()) == TARGET


@pytest.mark.parametrize("controls", [6, 14])
def test_the_null_of_controls_is_that_of_a_random_subset(controls: int) -> None:
    from onnxray.scanner.outliers import anomaly_index, cut, p_value

    random = np.random.default_rng(1)
    reached = 0
    for _ in range(400):
        scores = random.standard_normal(CLASSES)
        drawn = random.choice(CLASSES, controls, replace=False)
        index = float(np.nanmax(anomaly_index(scores, drawn.tolist())))
        reached += p_value(index, CLASSES, controls) <= 0.1
    assert 0.06 < reached / 400 < 0.15
    assert cut(CLASSES, 0.05, 6) > cut(CLASSES, 0.05, 14) > cut(CLASSES, 0.05)
