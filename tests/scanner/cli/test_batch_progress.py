"""How a batch is going: counted from what a watcher is told, drawn on a terminal, in plain lines elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from onnxray.scanner.batch import Tally
from onnxray.scanner.cli import batch_progress
from onnxray.scanner.cli.batch_progress import BatchProgress, PlainProgress
from onnxray.scanner.cli.batch_state import Snapshot
from onnxray.scanner.cli.batch_view import BatchView, lasting
from onnxray.scanner.jobs import Job, Outcome
from rich.console import Console

START = Tally(total=10, done=2, failed=1, unscanned=1, waiting=6, reused=3, labels={"clean": 2})


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def job(name: str) -> Job:
    return Job(key=name, name=name, path=Path(name), sha256="ab" * 32, size_bytes=1)


def outcome(label: str = "clean", **changes: Any) -> Outcome:
    return replace(Outcome(report=json.dumps({"verdict": {"label": label}}), seconds=7.0), **changes)


def drawn(snapshot: Snapshot, width: int = 80, height: int = 25) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(BatchView(lambda: snapshot))
    return captured.get().splitlines()


def half_done() -> tuple[BatchProgress, Clock]:
    """Two models are running, one of them half done; two ended in the first minute, one of them badly."""
    clock = Clock()
    watcher = BatchProgress(clock=clock)
    watcher.planned(START)
    for name in ("a", "b", "c", "d"):
        watcher.began(job(name))
    clock.now += 60
    watcher.moved(job("c"), "searching\n\x1b[31mtriggers", 0.5)
    tally = replace(START, done=3, waiting=5, labels={"clean": 2, "backdoored": 1})
    watcher.ended(job("a"), outcome("backdoored"), tally)
    watcher.ended(job("b"), Outcome(error="b: broken"), replace(tally, failed=2, waiting=4))
    return watcher, clock


def test_counts_pace_and_time_left() -> None:
    watcher, clock = half_done()
    clock.now += 60
    now = watcher.state.snapshot()
    assert (now.total, now.settled, now.waiting, len(now.running)) == (10, 6, 2, 2)
    assert dict(now.labels) == {"clean": 2, "backdoored": 1, "error": 2, "not scanned": 1}
    assert now.per_minute == pytest.approx(1.0)  # two in two minutes; what was known before is not counted
    assert now.left == pytest.approx(3.5 * 60)
    assert [(one.name, one.fraction, one.seconds) for one in now.running] == [("c", 0.5, 120.0), ("d", 0.0, 120.0)]


def test_before_anything_has_ended_there_is_no_pace() -> None:
    assert BatchProgress().state.snapshot() == Snapshot()
    watcher = BatchProgress()
    watcher.planned(START)
    assert (watcher.state.snapshot().per_minute, watcher.state.snapshot().left) == (0.0, None)


def test_the_view_has_a_bar_the_counts_and_a_line_for_each_running_model() -> None:
    watcher, _ = half_done()
    lines = drawn(watcher.state.snapshot())
    assert lines[0].startswith("6 of 10 models")
    assert "2.0 a minute, 105 s left" not in lines[0]
    assert "2.0 a minute, 2 min left" in lines[0]
    text = " ".join(" ".join(lines).split())
    for part in ("✖ 1 backdoored", "! 2 error", "– 1 not scanned", "✔ 2 clean", "2 running", "2 waiting"):
        assert part in text
    assert "searching [31mtriggers" in text  # without what would steer the terminal
    assert "50%" in next(line for line in lines if line.startswith("  c"))


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_the_view_fits_small_and_large_terminals(width: int) -> None:
    watcher = BatchProgress()
    watcher.planned(Tally(total=100, waiting=100))
    for i in range(40):
        watcher.moved(job(f"hf://organisation/repository@0123456789/onnx/models/variant-{i}.onnx"), "searching", 0.1)
    lines = drawn(watcher.state.snapshot(), width, height=20)
    assert len(lines) < 20
    assert all(len(line) <= width for line in lines)
    assert "more are running" in lines[-1]
    assert "variant-0" in "".join(lines) or width < 60


def test_plain_lines_are_one_a_model_and_a_summary_now_and_then() -> None:
    clock, lines = Clock(), list[str]()
    watcher = PlainProgress(lines.append, clock)
    watcher.planned(START)
    assert lines == ["onnxray: 3 of 9 scans are known from before"]
    for second in range(50):
        clock.now = 100.0 + second
        watcher.moved(job("a"), "searching", second / 50)
    assert len(lines) == 1  # not a line a tick
    watcher.ended(job("a"), outcome("backdoored"), replace(START, done=3, waiting=5, labels={"backdoored": 1}))
    watcher.ended(job("b"), Outcome(error="b: lost\nits worker", lasting=False), replace(START, done=3, waiting=5))
    assert lines[1:] == [
        "[5/10] backdoored a (7 s)",
        "[5/10] to be tried again: b (0 s): b: lost its worker",
    ]
    clock.now = 161.0
    watcher.moved(job("c"), "open", 0.0)
    watcher.moved(job("c"), "open", 0.1)
    assert len(lines) == 4
    assert lines[3].startswith("onnxray: 5 of 10 models: ")
    assert lines[3].endswith("1 running, 4 waiting; 1.0 a minute, about 5 min left")


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with batch_progress.batch_progress(quiet=True) as watcher:
        watcher.planned(START)
        watcher.told("waiting for another run")
        watcher.ended(job("a"), outcome(), START)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_the_live_view_and_notes_stay_above_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with batch_progress.batch_progress(quiet=False) as watcher:
        watcher.planned(START)
        watcher.told("waiting for\x1b[31m another run")
        watcher.moved(job("a"), "searching", 0.5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "4 of 10 models" in captured.err
    assert "onnxray: waiting for [31m another run\n" in captured.err.replace("\r", "")


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (99, "99 s"), (100, "2 min"), (7500, "2 h 05 min")])
def test_durations_in_words(seconds: float, words: str) -> None:
    assert lasting(seconds) == words
