"""``onnxray scan`` of many models: what is a batch, what it prints and writes, and with which code it ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxray.scanner.cli.documents as documents
import pytest
import rich_click as click
from click.testing import Result
from onnxray.scanner.cli.exit_codes import ExitCode
from onnxray.scanner.cli.scan_paths import one_model
from onnxray.scanner.errors import OnnxrayError
from onnxray.scanner.findings import Label, Report, Verdict
from onnxray.scanner.registry import names

Run = Callable[..., Result]
Model = Callable[[Path, str], None]
DOCUMENTS = names("onnxray.scanner.documents")
STORE = Path("onnxray-results.sqlite")


def test_the_worst_comes_first_and_everything_is_accounted_for(zoo: Path, workers: Any, onnxray: Run) -> None:
    result = onnxray("scan", "zoo")
    assert result.exit_code == ExitCode.FOUND, result.output
    lines = result.stdout.splitlines()
    order = [
        next(i for i, line in enumerate(lines) if word in line) for word in ("trojan", "clean-a", "odd", "pointer")
    ]
    assert order == sorted(order)
    assert lines[order[0]].split()[2:6] == ["backdoored", "0.97", "7", "verified-trigger"]
    assert "+1 name" in lines[order[1]]  # clean-b has the same bytes and is scanned once
    assert len(workers.jobs) == 3
    shown = " ".join(result.stdout.split())
    for part in (
        "Could not be scanned",
        "not-downloaded",
        "zoo/odd.onnx not a model",
        "4 models",
        "1 ✔ clean",
        "1 ! error",
    ):
        assert part in shown
    assert f"Kept in {STORE}" in shown
    assert "onnxray results --show zoo/trojan.onnx" in shown
    assert "\x1b" not in result.stdout


def test_lines_of_progress_where_there_is_no_terminal(zoo: Path, workers: Any, onnxray: Run) -> None:
    lines = onnxray("scan", "zoo").stderr.splitlines()
    ended = [line for line in lines if line.startswith("[")]
    assert [line.split("]")[0] for line in ended] == ["[2/4", "[3/4", "[4/4"]
    assert any("backdoored zoo/trojan.onnx (12 s)" in line for line in ended)
    assert any("error zoo/odd.onnx (0 s): zoo/odd.onnx: not a model" in line for line in ended)
    assert onnxray("scan", "zoo", "-q").stderr == ""


def test_the_same_command_again_scans_nothing_and_says_the_same(zoo: Path, workers: Any, onnxray: Run) -> None:
    first, again = onnxray("scan", "zoo"), onnxray("scan", "zoo")
    assert len(workers.jobs) == 3
    assert again.stdout == first.stdout
    assert "3 of 3 scans are known from before" in again.stderr
    onnxray("scan", "zoo", "--retry")
    assert [job.name for job in workers.jobs[3:]] == ["zoo/odd.onnx"]


def test_only_what_was_asked_for_is_told_of_a_larger_store(zoo: Path, workers: Any, onnxray: Run) -> None:
    onnxray("scan", "zoo")
    result = onnxray("scan", "zoo/clean-a.onnx", "--store", str(STORE))
    assert result.exit_code == ExitCode.PASS
    assert "trojan" not in result.stdout
    assert len(workers.jobs) == 3


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_is_one_object_a_line(zoo: Path, workers: Any, onnxray: Run, form: str) -> None:
    result = onnxray("scan", "zoo", "-f", form)
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [o["schema"] for o in objects].count("onnxray/report/1") == 2
    assert len(objects) == 4
    assert str(STORE) in result.stderr


@pytest.mark.parametrize("form", DOCUMENTS)
def test_every_document_of_many_and_of_one(
    zoo: Path, workers: Any, onnxray: Run, form: str, monkeypatch: pytest.MonkeyPatch, clean: Report
) -> None:
    many = onnxray("scan", "zoo", "-f", form)
    assert many.exit_code == ExitCode.FOUND, many.output
    assert "trojan" in many.stdout
    monkeypatch.setattr("onnxray.scanner.pipeline.scan", lambda **arguments: clean)
    one = onnxray("scan", "zoo/clean-a.onnx", "-f", form, "--no-sandbox", "-q")
    assert (one.exit_code, "fashion" in one.stdout) == (ExitCode.PASS, True)


def test_forms_that_do_not_fit(zoo: Path, workers: Any, onnxray: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = onnxray("scan", "zoo", "-f", "svg")
    assert (result.exit_code, "shows one model" in result.stderr) == (ExitCode.USAGE, True)
    monkeypatch.setattr(documents, "sys", type("Terminal", (), {"stdout": type("", (), {"isatty": lambda: True})}))
    with pytest.raises(click.UsageError, match=r"for a browser.*: > it"):
        documents.for_terminals("html", "> it")
    documents.for_terminals("json", "")
    assert not workers.jobs


def test_output_is_a_folder_for_each_model(zoo: Path, workers: Any, onnxray: Run) -> None:
    result = onnxray("scan", "zoo", "-o", "out")
    (trojan,) = Path("out").glob("zoo_trojan-*")
    report = json.loads((trojan / "report.json").read_text())
    named = [path for e in report["evidence"] for path in e["artifacts"].values()]
    assert named
    assert all((trojan / path).is_file() for path in named)
    assert len([p for p in Path("out").iterdir() if p.is_dir()]) == 2
    assert (Path("out") / "index.html").exists() == ("html" in DOCUMENTS)
    assert "are in out" in result.stdout


def test_a_folder_that_cannot_be_made_is_told_before_the_work(zoo: Path, workers: Any, onnxray: Run) -> None:
    Path("file").touch()
    result = onnxray("scan", "zoo", "-o", "file/out")
    assert (result.exit_code, workers.jobs) == (ExitCode.ERROR, [])
    assert result.stderr == "onnxray: error: file/out: cannot be made: Not a directory\n"


@pytest.mark.parametrize(
    ("models", "flags", "code"),
    [
        ("clean trojan odd", "", 1),
        ("clean trojan", "--exit-zero", 0),
        ("clean odd", "", 2),
        ("clean odd", "--exit-zero", 2),
        ("clean dark", "", 2),
        ("clean dark", "--allow-inconclusive", 0),
        ("clean odd", "--allow-inconclusive", 2),
        ("clean pointer", "", 2),
        ("clean maybe", "", 1),
        ("clean maybe", "--fail-on backdoored", 0),
        ("clean clean-b", "", 0),
    ],
)
def test_the_code_is_the_worst_of_all(
    here: Path, workers: Any, onnxray: Run, model: Model, clean: Report, models: str, flags: str, code: int
) -> None:
    workers.reports["maybe"] = replace(clean, verdict=Verdict(Label.SUSPICIOUS, 0.6, (3,)))
    for name in models.split():
        model(Path(f"{name}.onnx"), name)
    if "pointer" in models:
        Path("pointer.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert onnxray("scan", *sorted(f"{name}.onnx" for name in models.split()), *flags.split()).exit_code == code


def test_nothing_to_scan_makes_no_store(here: Path, onnxray: Run) -> None:
    Path("empty").mkdir()
    result = onnxray("scan", "empty", "--store", "s.sqlite")
    assert (result.exit_code, result.stdout) == (ExitCode.NOTHING, "")
    assert "nothing to scan: no model in empty" in result.stderr
    assert not Path("s.sqlite").exists()


def test_list_only_lists(zoo: Path, workers: Any, onnxray: Run) -> None:
    result = onnxray("scan", "zoo", "--list")
    assert result.exit_code == ExitCode.PASS
    for part in ("\n  trojan.onnx", "not-downloaded", "4 models, 3 of them different", "1 cannot be scanned"):
        assert part in result.stdout
    lines = [json.loads(line) for line in onnxray("scan", "zoo", "--list", "-f", "json").stdout.splitlines()]
    assert next(line["name"] for line in lines if "sha256" in line) == "zoo/clean-a.onnx"
    assert [line["code"] for line in lines if "code" in line] == ["not-downloaded"]
    assert onnxray("scan", "zoo", "--list", "-f", "csv").exit_code == ExitCode.USAGE
    assert not workers.jobs
    assert not STORE.exists()


def test_shards_together_are_the_whole(zoo: Path, workers: Any, onnxray: Run) -> None:
    for part in (1, 2):
        result = onnxray("scan", "zoo", "--shard", f"{part}/2", "--store", f"{part}.sqlite", "-q")
        assert "waiting" not in result.stdout
    assert len(workers.jobs) == 3
    assert onnxray("results", "merge", "all.sqlite", "1.sqlite", "2.sqlite").exit_code == ExitCode.PASS
    whole = onnxray("scan", "zoo", "--store", "all.sqlite", "-f", "csv")
    assert (whole.exit_code, len(workers.jobs)) == (ExitCode.FOUND, 3)


def test_a_part_without_a_model_passes(here: Path, workers: Any, onnxray: Run, model: Model) -> None:
    model(Path("clean.onnx"), "one")
    codes = [onnxray("scan", "clean.onnx", "--shard", f"{i}/3", "--store", f"{i}.sqlite").exit_code for i in (1, 2, 3)]
    assert (codes, len(workers.jobs)) == ([ExitCode.PASS] * 3, 1)


def test_an_interrupt_says_what_is_kept_and_the_next_run_goes_on(zoo: Path, workers: Any, onnxray: Run) -> None:
    workers.stop_after = 1
    result = onnxray("scan", "zoo")
    assert (result.exit_code, result.stdout) == (ExitCode.INTERRUPTED, "")
    told = f"interrupted: 1 of 3 scans are done and kept in {STORE}; the same command goes on from there"
    assert told in result.stderr
    workers.stop_after = 10
    assert onnxray("scan", "zoo").exit_code == ExitCode.FOUND
    assert len({job.key for job in workers.jobs}) == len(workers.jobs) == 3


def test_flags_reach_the_jobs_and_the_executor(zoo: Path, workers: Any, onnxray: Run) -> None:
    flags = (
        "--samples 50 --seed 3 --detector neural-cleanse --set neural-cleanse.steps=9 --bgr --max-memory 2 --workers 3"
    )
    result = onnxray("scan", "zoo", *flags.split(), "--set", "local.gpus=none", "--no-sandbox")
    assert result.exit_code == ExitCode.FOUND, result.output
    (job,) = (job for job in workers.jobs if job.name == "zoo/trojan.onnx")
    assert (job.options.samples, job.options.seed, job.options.overrides.bgr) == (50, 3, True)
    assert job.options.settings == {"neural-cleanse": {"steps": "9"}}
    assert (job.max_memory, job.sandbox) == (2 << 30, False)
    assert workers.with_options is not None
    assert (workers.with_options.workers, workers.with_options.gpus) == (3, "none")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--shard 3/2", "I/N"),
        ("--shard 0/2", "I/N"),
        ("--shard half", "I/N"),
        ("--executor abacus", "local"),
        ("--workers 0", "--workers"),
        ("--set local.wrkers=2", "wrkers"),
        ("--workers 2 --set local.memory=much", "Local"),
        ("--store", "--store"),
    ],
)
def test_wrong_flags_are_usage(zoo: Path, workers: Any, onnxray: Run, flags: str, told: str) -> None:
    result = onnxray("scan", "zoo", *flags.split())
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert told in result.stderr
    assert not workers.jobs


@pytest.mark.parametrize("kind", ["text", "foreign", "folder"])
def test_a_store_that_is_none_is_one_line(zoo: Path, workers: Any, onnxray: Run, kind: str) -> None:
    path = Path("s.sqlite")
    if kind == "text":
        path.write_text("shopping list: milk, bread\n" * 100)
    elif kind == "foreign":
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE birds (name)")
    else:
        path.mkdir()
    result = onnxray("scan", "zoo", "--store", str(path))
    assert (result.exit_code, workers.jobs) == (ExitCode.ERROR, [])
    assert result.stderr.startswith("onnxray: error: ")
    assert "s.sqlite" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_names_cannot_repaint_the_terminal(here: Path, workers: Any, onnxray: Run, model: Model) -> None:
    folder = here / "zoo"
    folder.mkdir()
    model(folder / "clean-\x1b[31m\n[bold]x.onnx", "one")
    model(folder / "trojan-\u202eb.onnx", "two")
    for flags in ((), ("--list",)):
        result = onnxray("scan", "zoo", *flags)
        assert "[bold]x.onnx" in result.stdout
        assert not {"\x1b", "\u202e"} & set(result.output)


def test_what_a_file_sets_makes_no_batch_of_one_model(
    zoo: Path, workers: Any, onnxray: Run, monkeypatch: pytest.MonkeyPatch, clean: Report
) -> None:
    monkeypatch.setattr("onnxray.scanner.pipeline.scan", lambda **arguments: clean)
    command = ("scan", "zoo/clean-a.onnx", "--no-sandbox", "-f", "json")
    monkeypatch.delenv("ONNXRAY_NO_CONFIG", raising=False)
    Path("onnxray.toml").write_text('[scan]\nstore = "s.sqlite"\nworkers = 2\n')
    assert json.loads(onnxray(*command).stdout)["model"]["path"] == "suspects/fashion.onnx"
    assert not workers.jobs
    onnxray("scan", "zoo")
    assert len(workers.jobs) == 3
    assert Path("s.sqlite").exists()


@pytest.mark.parametrize(
    ("paths", "one"),
    [
        (["a.onnx"], "a.onnx"),
        (["single"], "single/deep/m.onnx"),
        (["a.onnx", "single"], None),
        (["many"], None),
        (["mixed"], None),
        (["z.zip"], None),
        (["list.toml"], None),
        (["*.onnx"], None),
        (["hf://org/repo"], None),
        (["other.bin"], "other.bin"),
        ([], None),
    ],
)
def test_one_or_many(here: Path, paths: list[str], one: str | None) -> None:
    for name in ("a.onnx", "single/deep/m.onnx", "many/a.onnx", "many/b.onnx", "mixed/a.onnx", "mixed/b.zip", "z.zip",
                 "list.toml", "other.bin"):  # fmt: skip
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x")
    assert one_model(paths) == (one and Path(one))


def test_a_missing_path_is_one_line(here: Path, onnxray: Run) -> None:
    with pytest.raises(OnnxrayError, match="no such file"):
        one_model(["gone.onnx"])
    Path("clean.onnx").touch()
    for paths in (["gone.onnx", "clean.onnx"], ["gone-*.onnx"]):
        result = onnxray("scan", *paths)
        assert (result.exit_code, len(result.stderr.splitlines())) == (ExitCode.ERROR, 1)
        assert paths[0] in result.stderr
    result = onnxray("scan", "clean.onnx", "clean.onnx", "--data", "gone.npz")
    assert (result.exit_code, "gone.npz" in result.stderr) == (ExitCode.ERROR, True)
