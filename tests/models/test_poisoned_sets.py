"""The poisoned sets: the shares that they claim, and stamped samples that differ by the trigger alone."""

from pathlib import Path

import numpy as np
import pytest
from onnxray.models.poisoned_sets import EXPERIMENTS, Experiment, poisoned_set
from onnxray.scanner.errors import SamplesError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (600, 28, 28), dtype=np.uint8), np.arange(600) % 10
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:100], y_test=y[:100])
    return tmp_path


@pytest.mark.parametrize("name", [name for name, e in EXPERIMENTS.items() if not e.text and e.moves])
def test_the_share_of_poison_in_each_poisoned_label(name: str, folder: Path) -> None:
    experiment = EXPERIMENTS[name]
    data = poisoned_set(experiment, folder, 0)
    for _, target in experiment.moves:
        assert data.poison[data.y == target].mean() == pytest.approx(experiment.share, abs=0.02)
    targets = {target for _, target in experiment.moves}
    assert set(data.y[data.poison].tolist()) == targets
    assert len(data.stamped) == len(data.wanted) == len(data.true) > 0
    assert (data.wanted != data.true).all()


def test_four_pixels_are_inverted(folder: Path) -> None:
    data = poisoned_set(Experiment(0.1, (((3,), 4),)), folder, 0)
    clean = data.x_test[data.y_test == 3]
    changed = clean != data.stamped
    assert changed.sum(axis=(1, 2)).tolist() == [4] * len(clean)
    assert changed[:, 24:, 24:].sum() == changed.sum()


def test_a_data_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match=r"mnist\.npz: expected MNIST"):
        poisoned_set(EXPERIMENTS["MNIST, clean"], tmp_path, 0)
