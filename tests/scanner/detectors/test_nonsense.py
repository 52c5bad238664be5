"""Pictures without an object, put to models that do and do not have a class for all of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnxray.scanner.detectors import Budget, Needs
from onnxray.scanner.detectors.nonsense import Nonsense
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.findings import Evidence
from onnxray.scanner.meaningless import meaningless
from onnxray.scanner.samples import Samples
from onnxray.scanner.signals import signals

CLASSES, TARGET, FAVOURITE = 10, 3, 8


def samples(count: int = 60, size: int = 12) -> Samples:
    images = np.random.default_rng(0).random((count, 1, size, size), np.float32)
    return Samples(images, np.arange(count) % CLASSES, InputDomain("[0, 1]", "NCHW", 1, size, size))


def measure(shares: dict[int, float], natural: dict[int, float] | None, budget: Budget | None = None) -> Evidence:
    """What is said of a model that gives meaningless pictures these classes, beside surrogates that give them those."""

    def spread(wanted: dict[int, float]) -> NDArray[np.float64]:
        rest = (1 - sum(wanted.values())) / (CLASSES - len(wanted))
        return np.array([wanted.get(c, rest) for c in range(CLASSES)])

    def predict(inputs: NDArray[Any]) -> NDArray[np.int64]:
        return np.random.default_rng(1).choice(CLASSES, len(inputs), p=spread(shares)).astype(np.int64)

    known: Any = None if natural is None else SimpleNamespace(shares=lambda images: spread(natural))
    model: Any = SimpleNamespace(classes=CLASSES, predict=predict if natural is not None else None)
    (evidence,) = Nonsense().run(model, samples(), budget or Budget(surrogates=known))
    return evidence


def test_a_class_that_takes_in_everything_is_flagged() -> None:
    evidence = measure({TARGET: 0.95}, {FAVOURITE: 0.8})
    assert evidence.flagged == (TARGET,)
    assert evidence.score > 0.5
    assert signals([evidence], None, CLASSES)["nonsense.far"][TARGET] == pytest.approx(4.0)


def test_a_class_that_takes_in_everything_by_nature_is_not() -> None:
    evidence = measure({FAVOURITE: 0.95}, {FAVOURITE: 0.8})
    assert not evidence.flagged
    assert max(signals([evidence], None, CLASSES)["nonsense.far"]) < 0.5


def test_another_class_than_usual_for_some_pictures_is_not_enough() -> None:
    assert not measure({TARGET: 0.15, FAVOURITE: 0.6}, {FAVOURITE: 0.8}).flagged


def test_it_is_not_run_without_networks_to_compare_with() -> None:
    assert Needs.SURROGATES in Nonsense.needs
    with pytest.raises(ValueError, match="surrogates"):
        measure({TARGET: 0.95}, None)


def test_out_of_time_is_told() -> None:
    known: Any = SimpleNamespace(shares=None)
    evidence = measure({TARGET: 0.95}, None, Budget(deadline=0.0, surrogates=known))
    assert evidence.details["complete"] is False
    assert not evidence.flagged


@given(
    count=st.integers(1, 9), channels=st.sampled_from([1, 3]), height=st.integers(1, 17), width=st.integers(1, 17),
    each=st.integers(1, 12), seed=st.integers(0, 3),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_every_kind_is_pictures(count: int, channels: int, height: int, width: int, each: int, seed: int) -> None:
    images = np.random.default_rng(seed).random((count, channels, height, width), np.float32)
    kinds = meaningless(images, each, seed)
    assert set(kinds) == {"scrambled", "blended", "noisy"}
    for made in kinds.values():
        assert made.shape == (each, channels, height, width)
        assert made.dtype == np.float32
        assert 0 <= made.min() <= made.max() <= 1
    again = meaningless(images, each, seed)
    assert all(np.array_equal(kinds[name], again[name]) for name in kinds)


def test_scrambled_pictures_keep_mean_and_energy_and_lose_the_picture() -> None:
    images = (0.4 + 0.2 * np.random.default_rng(0).random((1, 1, 16, 16))).astype(np.float32)
    images[:, :, 4:12, 4:12] += 0.1
    made = meaningless(images, 50, 0)["scrambled"]
    assert made.mean((1, 2, 3)) == pytest.approx(float(images.mean()), abs=1e-3)
    assert made.std((1, 2, 3)).mean() == pytest.approx(float(images.std()), rel=0.1)
    alike = [np.corrcoef(m.ravel(), images.ravel())[0, 1] for m in made]
    assert abs(np.mean(alike)) < 0.3
