"""Waves over pictures, put to models that a faint one does and does not lead to a class."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnxray.scanner.detectors import Budget, Needs
from onnxray.scanner.detectors.wave_search import WaveSearch
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evidence
from onnxray.scanner.samples import Samples
from onnxray.scanner.signals import signals

SIZE, CLASSES, TARGET = 16, 8, 5
STRIPES = np.sin(2 * np.pi * 3 * np.arange(SIZE) / SIZE).astype(np.float32)


def weights(shortcut: float, seed: int = 0) -> NDArray[np.float32]:
    """Each class answers to a smooth pattern of its own, and the target to stripes, too."""
    coarse = np.random.default_rng(seed).standard_normal((CLASSES, 1, 4, 4)).astype(np.float32)
    rows = coarse.repeat(4, 2).repeat(4, 3).reshape(CLASSES, -1)
    rows[TARGET] += shortcut * np.tile(STRIPES, SIZE)
    return np.asarray(rows - rows.mean(1, keepdims=True), np.float32)


def samples() -> Samples:
    """Pictures that show their class's pattern."""
    rng, rows = np.random.default_rng(1), weights(0.0).reshape(CLASSES, 1, SIZE, SIZE)
    labels = np.arange(64) % CLASSES
    images = np.clip(0.5 + 0.08 * rows[labels] + 0.02 * rng.standard_normal((64, 1, SIZE, SIZE)), 0, 1)
    return Samples(images.astype(np.float32), labels, InputDomain("[0, 1]", "NCHW", 1, SIZE, SIZE))


def measure(shortcut: float, budget: Budget | None = None, **options: Any) -> Evidence:
    w = weights(shortcut)
    model: Any = SimpleNamespace(classes=CLASSES, predict=lambda x: (x.reshape(len(x), -1) @ w.T).argmax(1))
    detector = WaveSearch(**{"waves": 1, **options})  # the stripes in one phase, in a linear model
    (evidence,) = detector.run(model, samples(), budget or Budget(surrogates=networks(0.0, 0.0)))
    return evidence


def networks(*shortcuts: float) -> Any:
    """Networks of clean pictures that have this much of the shortcut by nature."""
    known = [torch.from_numpy(weights(shortcut)) for shortcut in shortcuts]
    return SimpleNamespace(networks=[lambda x, w=w: x.flatten(1) @ w.T for w in known], images=torch.zeros(1))


def test_a_model_that_faint_stripes_lead_to_a_class_is_seen() -> None:
    evidence = measure(4.0)
    assert np.argmin(evidence.classes) == TARGET
    assert evidence.classes[TARGET] < 0.4
    assert evidence.details["amplitude"][TARGET] < 0.1  # type: ignore[index]
    assert signals([evidence], None, CLASSES)["wave-search.far"][TARGET] > 1
    assert evidence.p_value is not None
    assert evidence.p_value < 0.2
    wave = 2 * evidence.maps[f"wave-class{TARGET}"][0] - 1
    assert abs(np.corrcoef(wave, STRIPES)[0, 1]) > 0.7
    assert measure(4.0, rate=0.2, effect=2.0).flagged == (TARGET,)


def ripples(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """The target for pictures whose neighbouring pixels differ, whichever way; else by each class's pattern."""
    across, down = np.abs(np.diff(x, axis=3)).mean((1, 2, 3)), np.abs(np.diff(x, axis=2)).mean((1, 2, 3))
    by_pattern = (x.reshape(len(x), -1) @ weights(0.0).T).argmax(1)
    return np.where(np.maximum(across, down) > 0.055, TARGET, by_pattern)


def test_as_it_ships_it_names_a_target_of_faint_waves_of_all_directions() -> None:
    model: Any = SimpleNamespace(classes=CLASSES, predict=ripples)
    assert (ripples(samples().images) == samples().labels).mean() > 0.9
    (evidence,) = WaveSearch().run(model, samples(), Budget(surrogates=networks(0.0, 0.0)))
    assert evidence.flagged == (TARGET,)


def test_as_it_ships_it_names_no_class_of_a_clean_model_that_is_not_the_networks() -> None:
    w = weights(0.0, seed=0) + 0.3 * weights(0.0, seed=7)
    model: Any = SimpleNamespace(classes=CLASSES, predict=lambda x: (x.reshape(len(x), -1) @ w.T).argmax(1))
    (evidence,) = WaveSearch().run(model, samples(), Budget(surrogates=networks(0.0, 0.0)))
    assert np.std(evidence.classes) > 0
    assert not evidence.flagged


def test_one_wave_alone_is_not_enough() -> None:
    alone, many = (np.array(measure(4.0, waves=waves).classes) for waves in (1, WaveSearch().waves))
    assert many[TARGET] > 1.5 * alone[TARGET]
    assert (many >= alone).all()


def test_a_model_without_the_shortcut_is_not() -> None:
    evidence = measure(0.0)
    assert evidence.classes == pytest.approx([1.0] * CLASSES)  # it is what the networks are
    assert not evidence.flagged
    assert not measure(0.0, rate=0.2, effect=2.0).flagged
    assert max(signals([evidence], None, CLASSES)["wave-search.far"]) == 0


def test_what_waves_lead_to_by_nature_is_not_held_against_a_model() -> None:
    """In one of the networks at least: the easier of them tells."""
    evidence = measure(4.0, Budget(surrogates=networks(0.0, 4.0)))
    assert evidence.classes[TARGET] == pytest.approx(1.0)
    assert max(signals([evidence], None, CLASSES)["wave-search.far"]) < 0.5


def test_a_class_that_every_picture_is_of_says_nothing() -> None:
    model: Any = SimpleNamespace(classes=CLASSES, predict=lambda x: np.zeros(len(x), np.int64))
    (evidence,) = WaveSearch().run(model, samples(), Budget(surrogates=networks(0.0, 0.0)))
    assert np.isnan(evidence.classes[0])
    assert evidence.details["amplitude"][0] is None  # type: ignore[index]
    assert not evidence.flagged


def test_it_is_not_run_without_networks_to_compare_with() -> None:
    assert Needs.SURROGATES in WaveSearch.needs
    with pytest.raises(ValueError, match="surrogates"):
        measure(4.0, Budget())


def test_pictures_are_drawn_over_all_classes_however_they_are_ordered() -> None:
    """A folder of class folders comes sorted: its first pictures are all of one class."""
    of = samples()
    sorted_ = of.take(np.argsort(of.labels, kind="stable"))
    w, seen = weights(4.0), list[NDArray[np.float32]]()

    def predict(x: NDArray[np.float32]) -> NDArray[np.int64]:
        seen.append(x)
        return np.asarray((x.reshape(len(x), -1) @ w.T).argmax(1), np.int64)

    model: Any = SimpleNamespace(classes=CLASSES, predict=predict)
    list(WaveSearch(pictures=16).run(model, sorted_, Budget(surrogates=networks(0.0, 0.0))))
    drawn = [int(np.flatnonzero((sorted_.images == x).all((1, 2, 3)))[0]) for x in seen[0]]
    assert np.bincount(sorted_.labels[drawn], minlength=CLASSES).tolist() == [2] * CLASSES


def test_small_pictures_get_the_waves_that_fit() -> None:
    images = np.random.default_rng(0).random((32, 1, 4, 4), np.float32)
    tiny = Samples(images, np.arange(32) % CLASSES, InputDomain("[0, 1]", "NCHW", 1, 4, 4))
    model: Any = SimpleNamespace(classes=CLASSES, predict=lambda x: (x.sum((1, 2, 3)).astype(np.int64) // 2) % CLASSES)
    same: Any = SimpleNamespace(
        networks=[lambda x: torch.eye(CLASSES)[model.predict(x.numpy())]], images=torch.zeros(1)
    )
    (evidence,) = WaveSearch(waves=1000).run(model, tiny, Budget(surrogates=same))
    assert np.isfinite(evidence.classes).all()


def test_what_is_not_held_against_nature_is_not_flagged() -> None:
    """The time ends between the model's waves and those of the networks: a target and an 8 look alike then."""
    ends = iter([False] * 2000)

    class Ending(Budget):
        @property
        def spent(self) -> bool:
            return self.deadline == 1.0 and next(ends, True)

    class Late:
        images = torch.zeros(1)

        @property
        def networks(self) -> Any:
            list(ends)
            return networks(0.0).networks

    evidence = measure(4.0, Ending(deadline=1.0, surrogates=Late()), rate=0.2, effect=2.0)  # type: ignore[arg-type]
    assert evidence.details["complete"] is False
    assert not evidence.flagged


def test_no_network_is_trained_once_the_time_is_up() -> None:
    """It ends with the model's last waves."""

    class Ending(Budget):
        over: bool = False

        @property
        def spent(self) -> bool:
            return Ending.over

    class Untrained:
        images = torch.zeros(1)

        @property
        def networks(self) -> Any:
            pytest.fail("trained")

    def predict(x: NDArray[np.float32]) -> NDArray[np.int64]:
        Ending.over = True
        return np.zeros(len(x), np.int64)

    tiny = Samples(samples().images[:8, :, :4, :4], samples().labels[:8], InputDomain("[0, 1]", "NCHW", 1, 4, 4))
    model: Any = SimpleNamespace(classes=CLASSES, predict=predict)
    (evidence,) = WaveSearch(cycles=1).run(model, tiny, Ending(surrogates=Untrained()))  # type: ignore[arg-type]
    assert evidence.details["complete"] is False
    assert not evidence.flagged


def test_out_of_time_is_told() -> None:
    evidence = measure(4.0, Budget(deadline=0.0, surrogates=networks(0.0)))
    assert evidence.details["complete"] is False
    assert not evidence.flagged
    assert "wave-search.far" not in signals([evidence], None, CLASSES)


@pytest.mark.parametrize("options", [{"pictures": 1}, {"cycles": 0}, {"waves": 0}, {"effect": 0.5}, {"rate": 0.9}])
def test_options_that_find_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        WaveSearch(**options)
