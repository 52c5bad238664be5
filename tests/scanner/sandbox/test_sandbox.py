"""A confined child may do its work and nothing else, and however it ends, the parent goes on."""

import sys
import tracemalloc
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from confined_deeds import Answer  # type: ignore[import-not-found]
from onnxray.scanner.errors import ModelError
from onnxray.scanner.sandbox import Died, Fault, Limits, Result, run_confined

LINUX = sys.platform.startswith("linux")
MIB = 1 << 20


def died(function: str, **limits: float) -> Died:
    arguments: dict[str, object] = {"devour": {"gigabytes": 1.5}, "sleep": {"seconds": 60.0}}.get(function, {})  # type: ignore[assignment]
    started = monotonic()
    ended = run_confined(f"confined_deeds:{function}", arguments, int, Limits(**limits))  # type: ignore[arg-type]
    assert monotonic() - started < 300  # on a machine that does much else
    assert isinstance(ended, Died), ended
    return ended


def test_values_go_in_and_come_back() -> None:
    picture = np.arange(6, dtype=np.float32).reshape(2, 3)
    arguments = {"number": float("inf"), "where": Path("/a/b"), "picture": picture}
    ended = run_confined("confined_deeds:answer", arguments, Answer)
    assert isinstance(ended, Result)
    assert (ended.value.number, ended.value.where) == (float("inf"), Path("/a/b"))
    np.testing.assert_array_equal(ended.value.picture, picture + 1)


def test_progress_and_noise_come_through_cleaned() -> None:
    moves, lines = [], list[str]()
    ended = run_confined("confined_deeds:speak", {}, str, progress=lambda *move: moves.append(move), told=lines.append)
    assert isinstance(ended, Result)
    assert ended.value == "done"
    assert moves == [("half", 0.5)]
    assert "\x1b" not in "".join(lines)


def test_errors_keep_their_class_and_faults_their_trace() -> None:
    with pytest.raises(ModelError, match=r"m\.onnx: no good"):
        run_confined("confined_deeds:complain", {}, str)
    with pytest.raises(Fault, match="KeyError") as caught:
        run_confined("confined_deeds:break_down", {}, str)
    assert "break_down" in caught.value.__notes__[0]


def test_an_answer_of_the_wrong_type_is_refused() -> None:
    ended = run_confined("confined_deeds:lie", {}, str)
    assert isinstance(ended, Died)
    assert (ended.code, "expected data of type" in ended.why) == ("garbled", True)


@pytest.mark.skipif(not LINUX, reason="other systems do not count what is mapped")
def test_too_much_memory() -> None:
    assert died("devour", memory=600 * MIB).code == "memory"


def test_too_much_time() -> None:
    assert died("spin", cpu_seconds=1).code == "cpu-time"
    assert died("sleep", seconds=1.5).code == "wall-clock"
    assert died("sleep", silence=1.5).code == "silence"


def test_crashes() -> None:
    crashed = died("crash")
    assert (crashed.code, "SIGSEGV" in crashed.why) == ("signal", True)
    assert "ended with 3" in died("leave").why
    assert died("babble").code == "garbled"


def test_a_child_that_talks_without_end_fills_nothing_here() -> None:
    tracemalloc.start()
    try:
        much = {"length": 60_000, "times": 20_000}
        ended = run_confined("confined_deeds:talk", much, int, Limits(seconds=4))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(ended, Result) or ended.code == "wall-clock"
    assert peak < 20 * MIB  # it sent more than a gigabyte, or would have
    ended = run_confined("confined_deeds:talk", {"length": 70_000, "times": 1}, int)
    assert isinstance(ended, Died)
    assert ended.code == "garbled"


@pytest.mark.skipif(not LINUX, reason="Landlock and seccomp are Linux's")
def test_nothing_outside_can_be_touched(tmp_path: Path) -> None:
    for name in ("victim", "movable", "goner"):
        (tmp_path / name).write_text("whole")
    ended = run_confined("confined_deeds:try_each", {"outside": tmp_path}, tuple[str, ...])
    assert isinstance(ended, Result)
    held = ended.confinement
    if not held.files.startswith("Landlock") or not held.network:
        pytest.skip(f"this kernel gives {held}")
    possible = set(ended.value) - ({"signal the parent"} if int(held.files.split()[1]) < 6 else set())
    assert not possible
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys(("victim", "movable", "goner"), "whole")
    assert not (Path.home() / ".onnxray-was-here").exists()


def test_the_scratch_folder_can_be_used_and_is_gone_afterwards() -> None:
    ended = run_confined("confined_deeds:use_scratch", {}, str)
    assert isinstance(ended, Result)
    assert not Path(ended.value).exists()


def test_starting_it_loads_nothing_heavy() -> None:
    ended = run_confined("confined_deeds:modules", {}, tuple[str, ...])
    assert isinstance(ended, Result)
    assert ended.value == ()
