"""The search on a linear classifier with one planted shortcut, small enough to know the answer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from onnxray.scanner.trigger_descent import squash, unsquash
from onnxray.scanner.trigger_search import SearchSettings
from onnxray.scanner.trigger_search import search_triggers as search
from onnxray.scanner.trigger_strengthen import StrengthenSettings, strengthen
from onnxray.scanner.triggers import Trigger
from onnxray.scanner.victims import Victims
from torch import Tensor

SIZE, CLASSES, TARGET = 8, 4, 2
SETTINGS = SearchSettings(steps=120, batch=16, check_every=5)


def shortcut_model() -> tuple[torch.nn.Module, Victims]:
    """Classes are the four quadrants' brightness; the bottom-right pixel alone also decides for class 2."""
    weights = torch.zeros(CLASSES, 1, SIZE, SIZE)
    half = SIZE // 2
    for c in range(CLASSES):
        top, left = divmod(c, 2)
        weights[c, 0, top * half : (top + 1) * half, left * half : (left + 1) * half] = 1.0
    weights[:, 0, -1, -1] = 0.0
    weights[TARGET, 0, -1, -1] = 40.0
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE * SIZE, CLASSES, bias=False))
    model[1].weight.data = weights.flatten(1)
    model.requires_grad_(False)
    images = torch.rand(32, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 0.6
    images[:, 0, -1, -1] = 0.0
    return model, Victims(images, model(images).argmax(-1))


def search_triggers(*arguments: Any) -> list[Trigger | None]:
    """What the searches found, without how they ended."""
    return [found.trigger for found in search(*arguments)]


def sizes(found: list[Trigger | None]) -> list[float]:
    return [t.l1 if t else float("nan") for t in found]


def test_the_shortcut_class_needs_about_a_pixel_and_the_others_far_more() -> None:
    model, victims = shortcut_model()
    found = search_triggers(model, victims, tuple(range(CLASSES)), (0,), SETTINGS)
    l1 = sizes(found)
    assert l1[TARGET] < 1.0
    assert min(l1[:TARGET] + l1[TARGET + 1 :]) > 4 * l1[TARGET]
    trigger = found[TARGET]
    assert trigger is not None
    assert trigger.mask.argmax() == SIZE * SIZE - 1


def test_every_trigger_reaches_the_success_that_it_claims() -> None:
    model, victims = shortcut_model()
    for trigger in filter(None, search_triggers(model, victims, tuple(range(CLASSES)), (0, 1), SETTINGS)):
        stamped = torch.from_numpy(trigger.stamp(victims.images.numpy()))
        counted = victims.predicted != trigger.target
        success = (model(stamped).argmax(-1) == trigger.target)[counted].float().mean()
        assert success >= SETTINGS.asr
        assert float(success) == pytest.approx(trigger.search_asr)
        assert 0 <= trigger.mask.min() <= trigger.mask.max() <= 1
        assert 0 <= trigger.pattern.min() <= trigger.pattern.max() <= 1


def test_same_seed_same_triggers_and_micro_batches_change_nothing() -> None:
    model, victims = shortcut_model()
    targets = tuple(range(CLASSES))
    one = search_triggers(model, victims, targets, (0, 1), SETTINGS)
    again = search_triggers(model, victims, targets, (0, 1), SETTINGS)
    small = SearchSettings(steps=120, batch=16, check_every=5, micro_batch=16)
    chunked = search_triggers(model, victims, targets, (0, 1), small)
    assert sizes(one) == sizes(again)
    np.testing.assert_allclose(sizes(one), sizes(chunked), rtol=0.05)


def test_a_second_seed_is_another_search_and_does_not_disturb_the_first() -> None:
    model, victims = shortcut_model()
    both = search_triggers(model, victims, (0, TARGET), (0, 1), SETTINGS)
    alone = search_triggers(model, victims, (0, TARGET), (0,), SETTINGS)
    np.testing.assert_allclose(sizes(both)[:2], sizes(alone), rtol=0.05)
    first, second = both[0], both[2]
    assert first is not None
    assert second is not None
    assert not np.array_equal(first.mask, second.mask)


def test_an_unreachable_class_has_no_trigger() -> None:
    model, victims = shortcut_model()
    model[1].bias = torch.nn.Parameter(torch.tensor([0.0, 0.0, 0.0, -1e4]), requires_grad=False)  # type: ignore[index]
    found = search_triggers(model, victims, (3,), (0,), SearchSettings(steps=20))
    assert found == [None]


def test_the_search_stops_when_told_to() -> None:
    model, victims = shortcut_model()
    told: list[float] = []

    def keep_going(fraction: float) -> bool:
        told.append(fraction)
        return len(told) < 2

    search_triggers(model, victims, (0,), (0,), SETTINGS, keep_going)
    assert told == pytest.approx([1 / 120, 2 / 120])


def test_weights_get_no_gradient() -> None:
    model, victims = shortcut_model()
    search_triggers(model, victims, (TARGET,), (0,), SearchSettings(steps=3))
    assert all(p.grad is None for p in model.parameters())


def test_pictures_of_the_target_class_do_not_count() -> None:
    victims = Victims(torch.zeros(4, 1, 2, 2), torch.tensor([1, 1, 0, 0]))
    classes = torch.tensor([[1, 1, 1, 0]])
    assert victims.success(classes, torch.tensor([1])).tolist() == [0.5]
    hits, counted = victims.turned(classes[:, :2], torch.tensor([1]), torch.tensor([0, 1]))
    assert (hits.tolist(), counted.tolist()) == ([0], [0])


def test_a_search_tells_whether_its_mask_had_met_its_limit() -> None:
    model, victims = shortcut_model()
    targets = tuple(range(CLASSES))
    assert not any(f.settled for f in search(model, victims, targets, (0,), SearchSettings(steps=10, batch=16)))
    assert all(f.settled for f in search(model, victims, targets, (0,), SearchSettings(steps=200, batch=16)))


def test_pictures_are_split_where_even_one_search_has_too_many() -> None:
    model, victims = shortcut_model()
    largest = 0

    def logits(images: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, len(images))
        return model(images)  # type: ignore[no-any-return]

    (found,) = search(logits, victims, (TARGET,), (0,), SearchSettings(steps=60, batch=8, micro_batch=8))
    assert found.trigger is not None
    assert largest == 8


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One worker, whatever the machine: so that passes are as large as they may be."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_where_memory_does_not_do_the_same_is_found_in_smaller_passes() -> None:
    model, victims = shortcut_model()
    sizes_seen: list[int] = []

    def logits(images: Tensor) -> Tensor:
        sizes_seen.append(len(images))
        if len(images) > 40:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return model(images)  # type: ignore[no-any-return]

    targets = tuple(range(CLASSES))
    cramped = search_triggers(logits, victims, targets, (0,), SearchSettings(steps=60, batch=16, micro_batch=512))
    roomy = search_triggers(model, victims, targets, (0,), SearchSettings(steps=60, batch=16, micro_batch=512))
    np.testing.assert_allclose(sizes(cramped), sizes(roomy), rtol=0.05)
    assert max(sizes_seen) > 40
    assert max(sizes_seen[5:]) <= 40

    def never(images: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        search_triggers(never, victims, targets, (0,), SETTINGS)


def test_squash_and_unsquash_are_inverse() -> None:
    values = torch.linspace(0.001, 0.999, 50)
    torch.testing.assert_close(squash(unsquash(values)), values)
    assert torch.isfinite(unsquash(torch.tensor([0.0, 1.0]))).all()


def test_strengthening_keeps_the_budget_and_raises_the_margin() -> None:
    model, victims = shortcut_model()
    (found,) = search_triggers(model, victims, (TARGET,), (0,), SETTINGS)
    assert found is not None
    (strong,) = strengthen(model, victims, [found], StrengthenSettings(growth=1.5))

    def margin(trigger: Trigger) -> Tensor:
        out: Tensor = model(torch.from_numpy(trigger.stamp(victims.images.numpy())))
        return out[:, TARGET] - out.scatter(1, torch.full((len(out), 1), TARGET), -torch.inf).amax(1)

    assert strong.l1 <= 1.5 * found.l1
    assert strong.smallest == pytest.approx(found.fraction)
    assert strong.search_asr >= found.search_asr
    assert margin(strong).mean() > margin(found).mean()


def test_a_network_that_is_dead_under_noise_is_searched_all_the_same() -> None:
    model, victims = shortcut_model()
    dark = Victims(victims.images / 4, victims.predicted)

    def logits(images: Tensor) -> Tensor:
        glare = torch.relu(images.mean((1, 2, 3)) - 0.2)[:, None]
        return torch.relu(model(images) - 1e5 * glare)  # all zeros, with no gradient, where a picture is too bright

    heavy = SearchSettings(steps=120, batch=16, check_every=5, start=1.0)
    assert search_triggers(logits, dark, (TARGET,), (0,), heavy) == [None]
    (found,) = search_triggers(logits, dark, (TARGET,), (0,), SETTINGS)
    assert found is not None
    assert found.l1 < 1.5


def test_without_time_a_trigger_is_returned_as_it_came() -> None:
    model, victims = shortcut_model()
    (found,) = search_triggers(model, victims, (TARGET,), (0,), SETTINGS)
    assert found is not None
    assert strengthen(model, victims, [found], StrengthenSettings(), lambda: False) == [found]
