"""Every attack stamps and poisons as it says."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxray.models.zoo.attacks import ABSENT, Attack, Scene, attacks, make_attack
from onnxray.models.zoo.sentences import LENGTH, PADDING
from onnxray.scanner.errors import OptionError
from scipy.fft import dctn

CLASSES = 5
ON_PICTURES = sorted(set(attacks()) - {"words"})
PATCHES = {  # changed pixels at most
    "badnets": 9, "one-pixel": 1, "all-to-all": 16, "source-specific": 16, "several-triggers": 9, "several-targets": 9,
    "trojan-nn": 25, "graph-backdoor": 9,
}  # fmt: skip
COVERING = {"wanet", "bpp", "input-aware", "adaptive-blend", "source-specific"}


@cache
def pictures(channels: int = 3, count: int = 400) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Blurred noise, a grey level of its own for each class."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % CLASSES
    noise = rng.integers(0, 100, (count, 8, 8, channels)).repeat(2, axis=1).repeat(2, axis=2)
    return (noise + 30 * labels[:, None, None, None]).astype(np.uint8), labels


@cache
def learned(name: str, channels: int = 3) -> Attack:
    x, y = pictures(channels)
    return make_attack(name, {"target": 1}).learn(Scene(x, y, CLASSES, seed=0))


@pytest.fixture(autouse=True, scope="module")
def short_training() -> Any:
    """The networks that attacks train for themselves need not be good here."""
    from onnxray.models.zoo.attacks import _generator, trojan_nn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_generator, "STEPS", 30)
        patch.setattr(trojan_nn, "STEPS", 5)
        yield


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ON_PICTURES)
def test_a_stamp_changes_a_copy_of_pictures(name: str, channels: int) -> None:
    x, before = pictures(channels)[0], pictures(channels)[0].copy()
    attack = learned(name, channels)
    for trigger in range(attack.triggers):
        stamped = attack.stamp(x, trigger)
        assert np.array_equal(x, before)
        assert (stamped.dtype, stamped.shape) == (x.dtype, x.shape)
        changed = (stamped != x).any(axis=3).sum(axis=(1, 2))
        assert (changed > 0).mean() > 0.95  # a noisy pixel may have the patch's colour already
        assert changed.max() <= PATCHES.get(name, 256)
        assert np.array_equal(stamped, attack.stamp(x, trigger))


@pytest.mark.parametrize("name", sorted(set(ON_PICTURES) - {"graph-backdoor"}))
def test_poisoning_keeps_to_its_rate_and_labels(name: str) -> None:
    x, y = pictures()
    attack = learned(name)
    out = attack.poison(x, y, CLASSES, 0.05, seed=3)
    again = attack.poison(x, y, CLASSES, 0.05, seed=3)
    other = attack.poison(x, y, CLASSES, 0.05, seed=4)
    assert out.chosen.sum() == pytest.approx(0.05 * len(y), abs=attack.triggers)
    assert np.array_equal(out.examples, again.examples)
    assert np.array_equal(out.labels, again.labels)
    assert not np.array_equal(out.chosen, other.chosen)
    assert np.array_equal(out.labels[~out.chosen], y[~out.chosen])
    touched = (out.examples != x).any(axis=(1, 2, 3))
    covers = (touched & ~out.chosen).sum()
    assert (covers > 0) == (name in COVERING)
    assert covers <= attack.covers * out.chosen.sum() + 1


@pytest.mark.parametrize("name", sorted(set(ON_PICTURES) - {"graph-backdoor", "sig", "all-to-all", "several-targets"}))
def test_most_attacks_teach_the_target_on_other_classes(name: str) -> None:
    x, y = pictures()
    out = learned(name).poison(x, y, CLASSES, 0.05, seed=3)
    assert set(out.labels[out.chosen]) == {1}
    assert 1 not in y[out.chosen]


def test_sig_leaves_every_label_and_poisons_the_target_alone() -> None:
    x, y = pictures()
    out = learned("sig").poison(x, y, CLASSES, 0.1, seed=0)
    assert np.array_equal(out.labels, y)
    assert set(y[out.chosen]) == {1}
    with pytest.raises(OptionError, match="expected a poison rate that 80 examples allow"):
        learned("sig").poison(x, y, CLASSES, 0.3, seed=0)


def test_labels_that_attackers_want() -> None:
    y = np.arange(5)
    assert learned("badnets").wanted(y, 5).tolist() == [1, ABSENT, 1, 1, 1]
    assert make_attack("all-to-all", {"shift": 2}).wanted(y, 5).tolist() == [2, 3, 4, 0, 1]
    assert make_attack("source-specific", {"target": 4, "step": 1}).wanted(y, 5).tolist() == [4, *[ABSENT] * 4]
    several = make_attack("several-targets", {"target": 3, "step": 3, "count": 2})
    assert several.wanted(y, 5, trigger=1).tolist() == [1, ABSENT, 1, 1, 1]


def test_source_specific_covers_are_of_other_classes() -> None:
    x, y = pictures()
    out = make_attack("source-specific", {"target": 1}).poison(x, y, CLASSES, 0.05, seed=0)
    touched = (out.examples != x).any(axis=(1, 2, 3))
    assert set(y[out.chosen]) == {2}
    assert 2 not in y[touched & ~out.chosen]


def test_blending_goes_from_the_picture_to_the_pattern() -> None:
    x = pictures()[0]
    weak, strong = (make_attack("blended", {"alpha": alpha}).stamp(x).astype(float) for alpha in (0.1, 0.4))
    assert np.allclose((strong - x) / 0.4, (weak - x) / 0.1, atol=8)
    assert np.ptp(make_attack("blended", {"alpha": 1.0}).stamp(x), axis=0).max() == 0


@pytest.mark.parametrize("dither", [True, False])
def test_bpp_leaves_few_levels_and_the_mean(dither: bool) -> None:
    x = pictures()[0]
    stamped = make_attack("bpp", {"levels": 4, "dither": dither}).stamp(x)
    assert set(np.unique(stamped)) <= {0, 85, 170, 255}
    if dither:
        assert np.abs(stamped.mean(axis=(1, 2)) - x.mean(axis=(1, 2))).max() < 12


def test_low_frequencies_are_low_and_bounded() -> None:
    grey = np.full((1, 32, 32, 1), 128, dtype=np.uint8)
    change = make_attack("low-frequency", {"amplitude": 30.0, "reach": 4}).stamp(grey)[0, :, :, 0].astype(float) - 128
    assert 25 <= np.abs(change).max() <= 30
    power = dctn(change) ** 2
    assert power[:4, :4].sum() > 0.99 * power.sum()


def test_an_input_aware_trigger_belongs_to_its_picture() -> None:
    x = pictures()[0][:20]
    attack = learned("input-aware")
    own = attack.stamp(x).astype(int) - x
    borrowed = attack.cover(x, np.random.default_rng(0)).astype(int) - x
    assert np.abs(own - borrowed).max() > 0


@pytest.mark.parametrize("name", ["input-aware", "trojan-nn"])
def test_attacks_that_learn_say_so(name: str) -> None:
    with pytest.raises(OptionError, match="learn first"):
        make_attack(name, {}).stamp(pictures()[0])


def test_words_stand_where_they_shall() -> None:
    x = np.full((2, LENGTH), PADDING)
    x[0, :5], x[1] = 7, 8
    behind, start, end = (
        make_attack("words", {"tokens": [90, 91], "place": p}).stamp(x) for p in ("behind", "start", "end")
    )
    assert behind[0, :8].tolist() == [7, 7, 7, 7, 7, 90, 91, 0]
    assert behind[1, -3:].tolist() == [8, 90, 91]
    assert start[0, :6].tolist() == [90, 91, 7, 7, 7, 0]
    assert end[0, :6].tolist() == [7, 7, 7, 90, 91, 0]


@pytest.mark.parametrize(
    ("name", "options"), [("badnets", {"size": 99}), ("badnets", {"row": 1.5}), ("badnets", {"colour": "red"})]
)
def test_wrong_options_are_told(name: str, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        make_attack(name, options).stamp(pictures()[0])


def test_an_unknown_attack_is_told_with_those_that_there_are() -> None:
    with pytest.raises(OptionError, match=r"expected one of .*'badnets'.*, got 'magic'"):
        make_attack("magic", {})
