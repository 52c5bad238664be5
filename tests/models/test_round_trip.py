"""A channel pruned in the twin and written back changes onnxruntime's answers as predicted, however it was stored."""

from pathlib import Path

import numpy as np
import pytest
from onnxray.models.conversion.originals import write_originals
from onnxray.models.conversion.round_trip import round_trip

INPUTS = np.random.default_rng(1).random((16, 1, 8, 8), np.float32)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_originals(tmp_path_factory.mktemp("originals"))


def test_twenty_originals_and_more(originals: dict[str, Path], tmp_path: Path) -> None:
    assert len(originals) >= 20
    for number, (name, path) in enumerate(originals.items()):
        (tmp_path / str(number)).mkdir()
        trip = round_trip(path, INPUTS, tmp_path / str(number) / "model.onnx")
        assert trip.identical, name
        assert trip.passes, (name, trip)
        assert trip.error <= 1e-5 + 2 * trip.before, (name, trip)
        assert trip.effect > 0.1, (name, trip)
