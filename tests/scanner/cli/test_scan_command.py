"""``onnxray scan``: what lands on which stream, what is written, and with which code it ends."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxray.scanner.confined_scan as confined_scan
import onnxray.scanner.pipeline as pipeline
import pytest
from click.testing import CliRunner, Result
from onnxray.scanner.cli.commands import main
from onnxray.scanner.cli.exit_codes import ExitCode
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import ModelError, OptionError
from onnxray.scanner.findings import Failure, Label, Report, Verdict
from onnxray.scanner.sandbox import Limits

Scan = Callable[..., Result]


class Pipeline:
    """Stands in for ``pipeline.scan``: notes how it was called, then answers or raises."""

    def __init__(self) -> None:
        self.answer: Report | BaseException | None = None
        self.calls: list[tuple[Path, Path | None, ScanOptions]] = []

    def scan(
        self, path: Path, data: Path | None, options: ScanOptions, progress: Callable[[str, float], None]
    ) -> Report:
        self.calls.append((path, data, options))
        progress("searching", 0.5)
        sys.stdout.write("a chatty library\n")
        if isinstance(self.answer, Report):
            return self.answer
        raise self.answer or AssertionError("no answer was set")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    stand_in = Pipeline()
    monkeypatch.setattr(pipeline, "scan", stand_in.scan)
    return stand_in


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """Run ``onnxray scan model.onnx --data data.npz ...`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").touch()
    Path("data.npz").touch()

    def run(*flags: str, model: str = "model.onnx", data: str = "data.npz") -> Result:
        return CliRunner().invoke(main, ["scan", model, "--data", data, "--no-sandbox", *flags])

    return run


def test_json_is_all_that_standard_output_gets(scan: Scan, fake: Pipeline, backdoored: Report) -> None:
    fake.answer = backdoored
    result = scan("-f", "json")
    assert json.loads(result.stdout)["schema"] == "onnxray/report/1"
    assert "chatty" in result.stderr
    assert sorted(p.name for p in Path().iterdir()) == ["data.npz", "model.onnx"]


def test_json_with_output_names_the_files(scan: Scan, fake: Pipeline, backdoored: Report) -> None:
    fake.answer = backdoored
    result = scan("-f", "json", "-o", "out")
    artifacts = json.loads(result.stdout)["evidence"][0]["artifacts"]
    assert all((Path("out") / path).is_file() for path in artifacts.values())
    assert Path("out/report.json").read_text() == result.stdout
    assert "out" in result.stderr


def test_text_writes_the_files_and_says_where(scan: Scan, fake: Pipeline, backdoored: Report) -> None:
    fake.answer = backdoored
    result = scan()
    folder = Path("onnxray-report/fashion-ab12ab12")
    assert (folder / "report.json").is_file()
    assert str(folder / "trigger-class7.png") in result.stdout
    assert "\x1b" not in result.stdout


def test_a_folder_that_cannot_be_written_costs_no_report(scan: Scan, fake: Pipeline, clean: Report) -> None:
    fake.answer = clean
    Path("onnxray-report").touch()
    result = scan()
    assert (result.exit_code, "CLEAN" in result.stdout) == (ExitCode.PASS, True)
    assert "could not be written" in result.stderr
    result = scan("-o", "onnxray-report")
    assert (result.exit_code, "CLEAN" in result.stdout) == (ExitCode.ERROR, True)


def test_flags_reach_the_pipeline(scan: Scan, fake: Pipeline, clean: Report) -> None:
    fake.answer = clean
    flags = "--samples 50 --seed 3 --detector neural-cleanse --set neural-cleanse.steps=9 --set neural-cleanse.lr=0.1 "
    flags += "--layout NHWC --range 0,255 --mean 1,2,3 --std 0.5 --bgr --device cpu --max-seconds 9 --scores logits "
    flags += "--also pair-search --also max-margin"
    result = scan(*flags.split())
    assert result.exit_code == ExitCode.PASS, result.output
    path, data, options = fake.calls[0]
    assert (path, data) == (Path("model.onnx"), Path("data.npz"))
    assert (options.samples, options.seed, options.device, options.max_seconds) == (50, 3, "cpu", 9.0)
    assert (options.detectors, options.scores) == (("neural-cleanse",), "logits")
    assert options.also == ("pair-search", "max-margin")
    assert options.settings == {"neural-cleanse": {"steps": "9", "lr": "0.1"}}
    overrides = options.overrides
    assert (overrides.layout, overrides.mean, overrides.std, overrides.bgr) == ("NHWC", (1.0, 2.0, 3.0), (0.5,), True)


def test_data_may_be_left_out(scan: Scan, fake: Pipeline, inconclusive: Report) -> None:
    fake.answer = replace(inconclusive, domain=None, evaluation=None)
    result = CliRunner().invoke(main, ["scan", "model.onnx", "--no-sandbox", "-f", "json"])
    assert result.exit_code == ExitCode.ERROR
    assert json.loads(result.stdout)["verdict"]["label"] == "inconclusive"
    assert fake.calls[0][:2] == (Path("model.onnx"), None)
    fake.answer = replace(fake.answer, verdict=Verdict(Label.SUSPICIOUS, 0.6, (7,)))
    assert CliRunner().invoke(main, ["scan", "model.onnx", "--no-sandbox", "-q"]).exit_code == ExitCode.FOUND


@pytest.mark.parametrize(
    ("flags", "message"),
    [(("--max-seconds", "nan"), "number of seconds"), (("-o", ""), "empty"), (("--data", ""), "empty")],
)
def test_values_that_say_nothing_are_wrong_usage(
    scan: Scan, fake: Pipeline, flags: tuple[str, ...], message: str
) -> None:
    result = scan(*flags)
    assert result.exit_code == ExitCode.USAGE
    assert message in result.stderr
    assert not fake.calls


def test_without_flags_the_defaults_of_the_pipeline_hold(scan: Scan, fake: Pipeline, clean: Report) -> None:
    fake.answer = clean
    scan()
    assert fake.calls[0][2] == ScanOptions()


@pytest.mark.parametrize(
    ("label", "flags", "code"),
    [
        ("clean", "", 0),
        ("suspicious", "", 1),
        ("backdoored", "", 1),
        ("inconclusive", "", 2),
        ("suspicious", "--fail-on backdoored", 0),
        ("backdoored", "--fail-on backdoored", 1),
        ("backdoored", "--exit-zero", 0),
        ("inconclusive", "--exit-zero", 2),
        ("inconclusive", "--allow-inconclusive", 0),
        ("backdoored", "--allow-inconclusive", 1),
    ],
)
def test_exit_code_of_a_verdict(scan: Scan, fake: Pipeline, clean: Report, label: str, flags: str, code: int) -> None:
    fake.answer = replace(clean, verdict=Verdict(Label(label), 0.5))
    assert scan("-f", "json", *flags.split()).exit_code == code


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            ModelError("m.onnx: not a model;\n\x1b[31m use another"),
            2,
            "onnxray: error: m.onnx: not a model; [31m use another",
        ),
        (OptionError("NeuralCleanse has no option ['step']"), 4, "onnxray: error: NeuralCleanse has no option"),
        (ZeroDivisionError("oops"), 2, "onnxray: internal error: ZeroDivisionError: oops"),
        (MemoryError(), 2, "onnxray: internal error: MemoryError"),
        (KeyboardInterrupt(), 130, "onnxray: interrupted"),
    ],
)
def test_errors_are_lines_on_standard_error(
    scan: Scan, fake: Pipeline, form: str, error: BaseException, code: int, told: str
) -> None:
    fake.answer = error
    result = scan("-f", form)
    assert result.exit_code == code
    assert result.stdout == ""
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


def test_debug_shows_the_traceback_and_keeps_the_code(scan: Scan, fake: Pipeline) -> None:
    fake.answer = ZeroDivisionError("oops")
    result = scan("--debug")
    assert result.exit_code == ExitCode.ERROR
    assert "Traceback" in result.stderr


def test_debug_shows_the_traceback_of_a_method_that_broke(scan: Scan, fake: Pipeline, clean: Report) -> None:
    fake.answer = replace(clean, failures=(Failure("x", "ValueError: oops", "Traceback ...\nValueError: oops\n"),))
    for form in ("text", "json"):
        told, untold = scan("-f", form, "--debug"), scan("-f", form)
        assert "Traceback ...\nValueError: oops\n" in told.stderr
        assert "Traceback" not in told.stdout + untold.stdout + untold.stderr


def test_missing_files(scan: Scan, fake: Pipeline) -> None:
    for flags in ({"model": "gone.onnx"}, {"data": "gone.npz"}, {"model": "x" * 5000}):
        result = scan(**flags)
        assert result.exit_code == ExitCode.ERROR
        assert "there is no such file or folder" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not fake.calls


def test_a_folder_as_model(scan: Scan, fake: Pipeline, clean: Report) -> None:
    fake.answer = clean
    Path("zoo/deep").mkdir(parents=True)
    Path("zoo/notes.txt").touch()
    result = scan(model="zoo")
    assert (result.exit_code, result.stdout) == (ExitCode.NOTHING, "")
    assert "nothing to scan" in result.stderr

    Path("zoo/deep/One.ONNX").touch()
    assert scan(model="zoo").exit_code == ExitCode.PASS
    assert fake.calls[0][0] == Path("zoo/deep/One.ONNX")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["scann"], "scan"),
        (["scan", "--dat", "x"], "--data"),
        (["scan", "m.onnx", "--data", "d", "--mean", "a,b"], "numbers"),
        (["scan", "m.onnx", "--data", "d", "--set", "steps=5"], "ID.OPTION=VALUE"),
        (["scan", "m.onnx", "--data", "d", "--detector", "astrology"], "neural-cleanse"),
        (["scan", "m.onnx", "--data", "d", "--samples", "0"], "--samples"),
        (["scan"], "--manifest"),
        (["--nonsense"], "--nonsense"),
        (["explain", "astrology"], "neural-cleanse"),
    ],
)
def test_wrong_usage_is_4_not_2(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == ExitCode.USAGE
    assert result.stdout == ""
    assert told in " ".join(result.stderr.split())


def test_wrong_override_is_usage(scan: Scan, fake: Pipeline) -> None:
    result = scan("--range", "5")
    assert result.exit_code == ExitCode.USAGE
    assert "0,255" in result.stderr
    assert not fake.calls


def test_quiet_leaves_only_the_report(scan: Scan, fake: Pipeline, clean: Report) -> None:
    fake.answer = clean
    assert "out" not in scan("-q", "-f", "json", "-o", "out").stderr.replace("a chatty library", "")


def test_progress_is_shown_on_a_terminal_only(
    scan: Scan, fake: Pipeline, clean: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answer = clean
    assert "searching" not in scan("-f", "json").stderr
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the streams for terminals
    result = scan("-f", "json")
    assert "searching" in result.stderr
    json.loads(result.stdout)
    assert "searching" not in scan("-f", "json", "-q").stderr


def test_class_names_beyond_ascii_reach_the_stream_as_utf8(scan: Scan, fake: Pipeline, clean: Report) -> None:
    fake.answer = replace(clean, class_names=("Ünïcode 猫",))
    assert "Ünïcode 猫" in scan("-f", "json").stdout_bytes.decode("utf-8")
    assert "Ünïcode 猫" in scan().stdout_bytes.decode("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
def test_a_real_interrupt_is_130(scan: Scan, fake: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: Any) -> Report:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the signal was lost")

    monkeypatch.setattr(pipeline, "scan", interrupted)
    assert scan().exit_code == ExitCode.INTERRUPTED


def test_a_scan_is_confined_unless_told_otherwise(
    fake: Pipeline, clean: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def confined(arguments: dict[str, Any], limits: Limits, progress: object, told: Callable[[str], None]) -> Report:
        asked.append((arguments["path"], limits.most_memory, limits.seconds))
        told("a chatty library")
        return clean

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(confined_scan, "scan_confined", confined)
    Path("model.onnx").touch()
    result = CliRunner().invoke(
        main, ["scan", "model.onnx", "--max-memory", "2.5", "--max-seconds", "60", "-f", "json"]
    )
    assert asked == [(Path("model.onnx"), int(2.5 * 2**30), 720)]
    assert ("chatty" in result.stderr, "chatty" in result.stdout, fake.calls) == (True, False, [])
    assert CliRunner().invoke(main, ["scan", "model.onnx", "--max-memory", "0"]).exit_code == ExitCode.USAGE
