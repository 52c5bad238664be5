"""Filters of training data, put to the training sets of a zoo: ours finds the poison, and what breaks is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from onnxray.models.bench import filtering
from onnxray.models.bench.filter_command import filters
from onnxray.models.bench.filter_summary import filter_sheets, load_filters, summarise_filters
from onnxray.models.bench.filtering import FilterRecord, filter_all, tasks
from onnxray.models.bench.record import OURS, read_json, write_json
from onnxray.models.bench.report_command import report
from onnxray.models.bench.subjects import placed


def record(name: str, poisoned: int, found: int, right: int, **changes: object) -> FilterRecord:
    told = {
        "name": name, "sha256": "ab", "part": "test", "dataset": "digits", "network": "mlp", "who": OURS,
        "attack": "badnets" if poisoned else "", "trojaned": bool(poisoned), "samples": 0, "examples": 100,
        "poisoned": poisoned, "found": found, "right": right, "seconds": 2.0, "version": "1",
    }  # fmt: skip
    return FilterRecord(**told | changes)  # type: ignore[arg-type]


def test_figures_by_hand() -> None:
    rows = [
        record("a", 10, 10, 10),
        record("b", 10, 20, 5),
        record("c", 20, 0, 0, status="failed", note="broke"),
        record("d", 0, 0, 0),
        record("e", 0, 25, 0),
    ]
    (found,) = summarise_filters(rows, "test").overall
    assert found.precision == pytest.approx((1 + 0.25 + 0) / 3)
    assert found.recall == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.f1 == pytest.approx((1 + 10 / 30 + 0) / 3)
    assert (found.told.hits, found.told.trials, found.disturbed.hits, found.disturbed.trials) == (1, 3, 1, 2)
    assert found.taken == pytest.approx(0.125)
    assert found.failed == 1


def test_training_sets_without_poison_have_no_recall() -> None:
    found = summarise_filters([record("d", 0, 0, 0)], "test")
    assert found.by_attack == ()
    (sheet,) = filter_sheets(found)
    assert sheet.rows[0][2:5] == ("-", "-", "-")


def test_sets_of_a_zoo_are_made_again_and_asked_about_once(zoo: Path, out: Path, names: dict[str, str]) -> None:
    arguments = [str(zoo), "-o", str(out), "--data", str(zoo), "--filter", OURS]
    first = CliRunner().invoke(filters, arguments)
    assert first.exit_code == 0, first.output
    records = {(r.name, r.samples): r for r in load_filters(out, "test")}
    assert len(records) == 6
    for samples in (0, 200):
        good, gate = records[names["clean"], samples], records[names["trojaned"], samples]
        assert (good.status, gate.status) == ("done", "done"), (good.note, gate.note)
        assert good.examples == gate.examples > 100
        assert good.poisoned == gate.poisoned == 0  # a backdoor that was put into the graph poisons nothing
        broken = records[names["broken"], samples]
        assert broken.status == "failed"
        assert broken.examples == good.examples
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    again = CliRunner().invoke(filters, arguments)
    assert again.exit_code == 0, again.output
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.json")} == stamps
    shown = CliRunner().invoke(report, [str(out), "--markdown"])
    assert shown.exit_code == 0, shown.output
    assert "Sets that could not be looked at: onnxray 1, onnxray 1." in shown.output
    assert json.loads((out / "filters.json").read_text())["schema"] == "onnxray/filter-benchmark/1"


def test_a_set_that_cannot_be_made_again_is_a_failure(zoo: Path, out: Path, names: dict[str, str]) -> None:
    folder = zoo / "test" / names["clean"]
    truth = json.loads((folder / "truth.json").read_text())
    other = out / "zoo" / "test" / names["clean"]
    other.mkdir(parents=True)
    (other / "model.onnx").write_bytes((folder / "model.onnx").read_bytes())
    (other / "truth.json").write_text(json.dumps(truth | {"identity": "another"}))
    todo = tasks(placed(out / "zoo", ("test",)), (OURS,), out, zoo)
    (records,) = list(filter_all(todo, 1))
    assert [r.status for r in records] == ["failed", "failed"]
    assert "build the zoo again" in records[0].note


def test_failures_are_made_again_when_asked(
    zoo: Path, out: Path, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "_ours", lambda task, samples, training: (training.labels == 0, "suspicious"))
    todo = tasks(placed(zoo, ("test",), names["clean"]), (OURS,), out, zoo)
    wanted = todo[0].records[0]
    write_json(FilterRecord(**{**vars(wanted), "status": "failed"}), todo[0].path(wanted))
    (kept,) = list(filter_all(todo, 1))
    assert kept[0].status == "failed"
    (made,) = list(filter_all(todo, 1, retry=True))
    assert made[0].status == "done"
    assert made[0].found > 0 == made[0].right
    assert read_json(todo[0].path(wanted), FilterRecord) == made[0]


def test_an_unknown_filter_is_refused(zoo: Path, out: Path) -> None:
    result = CliRunner().invoke(filters, [str(zoo), "-o", str(out), "--data", str(zoo), "--filter", "magic"])
    assert result.exit_code != 0
    assert "expected one of onnxray" in str(result.exception or result.output)
