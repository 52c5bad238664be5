"""``onnxray results``: queries, one model's report, export, and the union of stores."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from onnxray.scanner.cli.exit_codes import ExitCode
from onnxray.scanner.cli.terminal import LOOKS
from onnxray.scanner.findings import Label

Run = Callable[..., Result]
STORE = "onnxray-results.sqlite"


@pytest.fixture
def store(zoo: Path, workers: Any, onnxray: Run) -> Path:
    """The results of the small zoo."""
    assert onnxray("scan", "zoo", "-q").exit_code == ExitCode.FOUND
    return Path(STORE)


def listed(result: Result) -> list[str]:
    """The models of a CSV, in order."""
    assert result.exit_code == ExitCode.PASS, result.output
    return [Path(row["name"]).stem for row in csv.DictReader(result.stdout.splitlines())]


def test_a_table_of_everything_is_no_failure(store: Path, onnxray: Run) -> None:
    result = onnxray("results")
    assert (result.exit_code, result.stderr) == (ExitCode.PASS, "")
    for part in ("trojan", "clean-a", "not-downloaded", "4 models", "under 5 names"):
        assert part in result.stdout
    assert onnxray("results", str(store)).stdout == result.stdout


def test_every_label_has_its_looks() -> None:
    assert {*Label} | {"error", "not scanned", "waiting"} == set(LOOKS)


@pytest.mark.parametrize(
    ("flags", "models"),
    [
        ("--label backdoored", ["trojan"]),
        ("--label clean --label error", ["clean-a", "odd"]),
        ("--model clean", ["clean-a"]),
        ("--model */tro*", ["trojan"]),
        ("--sort worst", ["trojan", "odd", "pointer", "clean-a"]),
        ("--sort score", ["trojan", "clean-a"]),
        ("--sort seconds --limit 2", ["clean-a", "trojan"]),
        ("--since 2020-01-01", ["clean-a", "odd", "trojan"]),
        ("--show pointer", ["pointer"]),
    ],
)
def test_queries(store: Path, onnxray: Run, flags: str, models: list[str]) -> None:
    pytest.importorskip("onnxray.scanner.documents.csv")
    assert listed(onnxray("results", "-f", "csv", *flags.split()))[: len(models)] == models


@pytest.mark.parametrize("flags", ["--label suspicious", "--model nowhere", "--since 2999-01-01", "--show nowhere"])
def test_nothing_like_that_is_3(store: Path, onnxray: Run, flags: str) -> None:
    result = onnxray("results", *flags.split())
    assert (result.exit_code, result.stdout) == (ExitCode.NOTHING, "")
    assert "nothing in onnxray-results.sqlite is like that" in result.stderr


def test_check_ends_as_a_scan_would(store: Path, onnxray: Run) -> None:
    assert onnxray("results", "--check").exit_code == ExitCode.FOUND
    assert onnxray("results", "--check", "--label", "clean").exit_code == ExitCode.PASS
    assert onnxray("results", "--check", "--exit-zero").exit_code == ExitCode.ERROR


@pytest.mark.parametrize("name", ["zoo/trojan.onnx", "trojan.onnx", "troj"])
def test_one_report_as_text_by_any_part_of_its_name(store: Path, onnxray: Run, name: str) -> None:
    shown = " ".join(onnxray("results", "--show", name).stdout.split())
    for part in ("BACKDOORED", "zoo/trojan.onnx", "suspicion 0.97 of 1", "Do not deploy", "verified-trigger",
                 "turns 88 of 91", "neural-cleanse", "7 (Sneaker)", "96.7% (88 of 91)", "held-out",
                 "No scan can prove"):  # fmt: skip
        assert part in shown
    assert "onnxray results --show zoo/trojan.onnx --export DIR" in shown


def test_one_report_by_hash_and_as_json(store: Path, onnxray: Run) -> None:
    lines = onnxray("results", "-f", "json", "--model", "trojan").stdout
    sha256 = json.loads(lines)["model"]["sha256"]
    report = json.loads(onnxray("results", "--show", sha256[:8], "-f", "json").stdout)
    assert (report["model"]["sha256"], report["schema"]) == (sha256, "onnxray/report/1")
    assert "catalog" not in report


def test_models_without_a_report_say_why(store: Path, onnxray: Run) -> None:
    assert "Git LFS pointer" in onnxray("results", "--show", "pointer").stdout
    assert "odd.onnx: not a model" in onnxray("results", "--show", "odd").stdout


def test_a_name_that_fits_several_is_told(store: Path, onnxray: Run) -> None:
    result = onnxray("results", "--show", "o")
    assert result.exit_code == ExitCode.ERROR
    assert "fits 4 models, such as" in result.stderr
    assert onnxray("results", "--show", "clean-b.onnx").exit_code == ExitCode.PASS  # another name of clean-a


def test_a_file_is_written_in_one_step(store: Path, onnxray: Run) -> None:
    result = onnxray("results", "-f", "jsonl", "-o", "deep/found.jsonl")
    assert (result.exit_code, result.stdout) == (ExitCode.PASS, "")
    assert len(Path("deep/found.jsonl").read_text().splitlines()) == 4
    assert [p.name for p in Path("deep").iterdir()] == ["found.jsonl"]
    Path("file").touch()
    result = onnxray("results", "-f", "jsonl", "-o", "file/found.jsonl")
    assert (result.exit_code, len(result.stderr.splitlines())) == (ExitCode.ERROR, 1)
    assert onnxray("results", "-o", "found.txt").exit_code == ExitCode.USAGE


def test_export_writes_reports_and_pictures(store: Path, onnxray: Run) -> None:
    onnxray("results", "--label", "backdoored", "--export", "out")
    (folder,) = (p for p in Path("out").iterdir() if p.is_dir())
    assert json.loads((folder / "report.json").read_text())["verdict"]["label"] == "backdoored"
    assert (folder / "trigger-class7.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments", [["gone.sqlite"], ["merge", "all.sqlite", "gone.sqlite"]])
def test_a_store_that_is_not_there(here: Path, onnxray: Run, arguments: list[str]) -> None:
    result = onnxray("results", *arguments)
    assert result.exit_code == ExitCode.ERROR
    assert result.stderr.startswith("onnxray: error: gone.sqlite: there is no such file")
    assert not list(here.iterdir())


def test_a_store_that_is_none(here: Path, onnxray: Run) -> None:
    Path("notes.txt").write_text("milk, bread" * 100)
    for arguments in (["notes.txt"], ["merge", "all.sqlite", "notes.txt"], ["merge", "notes.txt", "notes.txt"]):
        result = onnxray("results", *arguments)
        assert (result.exit_code, len(result.stderr.splitlines())) == (ExitCode.ERROR, 1)
        assert "notes.txt" in result.stderr


def test_merge_says_what_it_took_and_changes_nothing_twice(store: Path, onnxray: Run) -> None:
    first = onnxray("results", "merge", "all.sqlite", STORE)
    assert first.exit_code == ExitCode.PASS
    assert f"{STORE}: new names: 5; results taken over: 3; known: 0" in first.stderr
    again = onnxray("results", "merge", "all.sqlite", STORE)
    assert "new names: 0; results taken over: 0; known: 3" in again.stderr
    assert onnxray("results", "all.sqlite").stdout == onnxray("results").stdout
    assert onnxray("results", "merge", STORE, STORE).exit_code == ExitCode.ERROR
    assert onnxray("results", "merge", STORE).exit_code == ExitCode.USAGE


def test_options_may_stand_behind_the_store(store: Path, onnxray: Run) -> None:
    assert "trojan" not in onnxray("results", STORE, "--label", "clean").stdout
    assert onnxray("results", STORE, "more").exit_code == ExitCode.USAGE
    assert "STORE" in onnxray("results", "--help").stdout
