"""The calibrated score: missing evidence adds nothing, more evidence never acquits, files are checked."""

from math import nan
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxray.scanner.calibration import Calibration, Level, shipped
from onnxray.scanner.detectors import Detector
from onnxray.scanner.errors import OptionError
from onnxray.scanner.registry import names
from onnxray.scanner.scoring import reason

LEVELS = {
    "searched": Level(slope=2.0, intercept=-1.0, suspicious=0.8, convicting=0.99, clean=9, trojaned=9),
    "nominated": Level(slope=1.0, intercept=0.0, suspicious=0.9, convicting=0.99, clean=9, trojaned=9),
}
ONE = Calibration(
    offset=-0.5, weights={"search.far": 1.5, "margin.rare": 0.5}, centres={"search.far": 1.0, "margin.rare": 0.4},
    levels=LEVELS, searches=("search",), false_alarms=0.02, made={},
)  # fmt: skip


def logistic(x: float) -> float:
    return float(1 / (1 + 2.718281828459045**-x))


def test_the_score_is_the_largest_class_s_log_odds_through_the_curve_of_its_level() -> None:
    rated = ONE.score({"search.far": (0.0, 3.0), "margin.rare": (0.4, 1.4)})
    assert rated.target == 1
    assert rated.score == pytest.approx(logistic(2 * (-0.5 + 1.5 * 2.0 + 0.5 * 1.0) - 1))
    assert rated.suspicious
    assert [name for name, _ in rated.parts] == ["search.far", "margin.rare"]
    assert [value for _, value in rated.parts] == pytest.approx([3.0, 0.5])


def test_without_a_search_another_curve_counts() -> None:
    rated = ONE.score({"search.far": (0.0, 3.0), "margin.rare": (0.4, 1.4)}, without=("search",))
    assert (rated.level, rated.target) == ("nominated", 1)
    assert rated.score == pytest.approx(logistic(-0.5 + 0.5))


def test_what_was_not_measured_adds_nothing() -> None:
    known = ONE.score({"search.far": (0.0, 3.0)})
    assert ONE.score({"search.far": (0.0, 3.0), "margin.rare": (nan, nan), "unknown.far": (9.0, 0.0)}) == known
    assert ONE.score({}).target is None
    assert ONE.score({}).score == pytest.approx(logistic(-0.5))


@given(st.lists(st.floats(0, 4), min_size=3, max_size=3), st.integers(0, 2), st.floats(0, 4))
def test_a_larger_signal_never_lowers_the_score(values: list[float], which: int, more: float) -> None:
    raised = [v + more * (i == which) for i, v in enumerate(values)]
    assert ONE.score({"search.far": tuple(raised)}).score >= ONE.score({"search.far": tuple(values)}).score


def test_the_reason_names_the_class_the_cut_and_what_weighs_most() -> None:
    code, sentence = reason(ONE.score({"search.far": (0.0, 3.0), "margin.rare": (0.4, 0.1)}), ONE)
    assert code == "calibrated-score"
    assert "class 1" in sentence
    assert "0.80" in sentence
    assert "search far +3.0" in sentence
    assert "margin" not in sentence  # it speaks against


def test_a_file_is_read_back_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(msgspec.json.encode(ONE))
    assert Calibration.load(path) == ONE
    negative = msgspec.json.encode({**msgspec.to_builtins(ONE), "weights": {"search.far": -1.0, "margin.rare": 1.0}})
    for wrong in (b"{}", b"\x00", negative, b'{"schema": "other/1"}'):
        path.write_bytes(wrong)
        with pytest.raises(OptionError, match=r"mine\.json: not a calibration .*onnxray zoo calibrate"):
            Calibration.load(path)
    with pytest.raises(OptionError, match=r"nowhere\.json"):
        Calibration.load(tmp_path / "nowhere.json")


def test_the_shipped_calibration_fits_the_methods_that_are_there() -> None:
    calibration = shipped()
    methods = set(names(Detector.__module__))
    assert {name.split(".")[0] for name in calibration.weights} <= methods
    assert set(calibration.searches) <= methods
    assert calibration.made["versions"]
    assert all(0.5 < level.suspicious < level.convicting <= 1 for level in calibration.levels.values())
