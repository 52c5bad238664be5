"""Every threat is met as it has to be."""

from pathlib import Path

import pytest
from onnxray.models.hostile import Case
from onnxray.models.hostile.bombs import BOMBS
from onnxray.models.hostile.decide import decision, written
from onnxray.models.hostile.files import FILES


@pytest.mark.parametrize("case", [*BOMBS, *FILES], ids=lambda case: case.name)
def test_the_decision_is_the_expected_one(case: Case, tmp_path: Path) -> None:
    path = written(case, tmp_path)
    assert path.stat().st_size < 1_000_000
    if case.expected == "contained":  # tests/scanner/test_confined_scan.py has such files scanned
        assert decision(path, "", 0) == "nothing"
    else:
        assert decision(path, case.expected, 0) == case.expected


def test_there_is_a_file_for_every_threat() -> None:
    names = [case.name for case in (*BOMBS, *FILES)]
    assert len(set(names)) == len(names) > 30
    assert {case.expected for case in BOMBS} == {"refused", "contained"}
