"""Filters of training data, put to the training sets of a zoo: what they find is counted, and what breaks is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from onnxray.converters import Model
from onnxray.models.bench import filtering, peers
from onnxray.models.bench.filter_command import filters
from onnxray.models.bench.filter_summary import filter_sheets, load_filters, summarise_filters
from onnxray.models.bench.filtering import FilterRecord, filter_all, tasks
from onnxray.models.bench.peers import DataFilter, TrainingSet
from onnxray.models.bench.peers._training_set import training_set
from onnxray.models.bench.record import OURS, read_json, write_json
from onnxray.models.bench.report_command import report
from onnxray.models.bench.subjects import placed
from onnxray.models.zoo.build import truth_of
from onnxray.scanner.errors import OptionError
from onnxray.scanner.findings import Label


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
    assert "Sets that could not be looked at: onnxray (0) 1, onnxray (200) 1." in shown.output
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
    monkeypatch.setattr(filtering, "_ours", lambda task, samples, training: (training.labels == 0, "suspicious", 1.0))
    todo = tasks(placed(zoo, ("test",), names["clean"]), (OURS,), out, zoo)
    wanted = todo[0].records[0]
    write_json(FilterRecord(**{**vars(wanted), "status": "failed"}), todo[0].path(wanted))
    (kept,) = list(filter_all(todo, 1))
    assert kept[0].status == "failed"
    (made,) = list(filter_all(todo, 1, retry=True))
    assert made[0].status == "done"
    assert made[0].found > 0 == made[0].right
    assert read_json(todo[0].path(wanted), FilterRecord) == made[0]


class Half(DataFilter):
    """Takes the first half of the poison, and as many others."""

    id = "half"

    def find(self, model: Model, training: TrainingSet, seed: int) -> NDArray[np.bool_]:
        found = np.zeros(len(training.labels), dtype=bool)
        found[np.flatnonzero(training.poisoned)[::2]] = True
        found[np.flatnonzero(~training.poisoned)[: int(found.sum())]] = True
        return found


class Absent(Half):
    id = "absent"

    def missing(self) -> str:
        return "absent needs a library; pip install it"


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples of label 3 are poisoned in every training set; of two filters one is without its library."""

    def dirty(truth: dict[str, Any], data: Path) -> TrainingSet:
        made = training_set(truth, data)
        return TrainingSet(made.inputs, made.labels, made.labels == 3, made.classes)

    monkeypatch.setattr(filtering, "training_set", dirty)
    monkeypatch.setattr(filtering, "filters", lambda: {"half": Half})
    monkeypatch.setattr(peers, "filters", lambda: {"absent": Absent, "half": Half})


def test_a_filter_is_counted_against_the_poison(zoo: Path, out: Path, names: dict[str, str], poisoned: None) -> None:
    (records,) = list(filter_all(tasks(placed(zoo, ("test",), names["clean"]), ("half",), out, zoo), 1))
    (told,) = records
    assert told.status == "done", told.note
    assert told.poisoned > 20
    assert told.result.precision == pytest.approx(0.5)
    assert told.result.recall == pytest.approx(0.5, abs=0.05)


def test_ours_counts_the_examples_of_the_clusters_that_it_calls_poisoned(
    zoo: Path, out: Path, names: dict[str, str], poisoned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = tasks(placed(zoo, ("test",), names["clean"]), (OURS,), out, zoo)
    made = training_set(truth_of(task.of.place), zoo)
    at = np.flatnonzero(made.labels == 3)[:9]
    cluster = SimpleNamespace(positions=at)
    said = SimpleNamespace(details={"complete": True}, poisoned=(cluster,), seconds=1.5)
    report = SimpleNamespace(evidence=(said,), failures=(), skipped=(), verdict=SimpleNamespace(label=Label.BACKDOORED))
    monkeypatch.setattr(filtering, "scan", lambda *a, **k: report)
    (records,) = list(filter_all([task], 1))
    assert [(r.found, r.right, r.seconds, r.note) for r in records] == [(9, 9, 1.5, "backdoored")] * 2
    said.details["complete"] = False  # nothing was compared: that is no clean training set
    shutil.rmtree(out)
    (records,) = list(filter_all([task], 1))
    assert {r.status for r in records} == {"failed"}


def test_only_the_answer_that_a_process_died_of_is_lost(zoo: Path, out: Path, names: dict[str, str]) -> None:
    (task,) = tasks(placed(zoo, ("test",), names["clean"]), (OURS,), out, zoo)
    (lost,) = filtering._lost(task, "it died")
    assert (lost.samples, lost.note) == (0, "it died")
    assert [r.samples for r in filtering._missing(task)] == [200]


def test_a_filter_whose_library_is_missing_is_left_out_and_never_scored(
    zoo: Path, out: Path, names: dict[str, str], poisoned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "_ours", lambda task, samples, training: (training.poisoned, "backdoored", 1.0))
    arguments = [str(zoo), "-o", str(out), "--data", str(zoo), "--only", names["clean"]]
    result = CliRunner().invoke(filters, arguments)
    assert result.exit_code == 0, result.output
    assert "left out: absent needs a library" in result.output
    assert {r.who for r in load_filters(out, "test")} == {OURS, "half"}
    refused = CliRunner().invoke(filters, [*arguments, "--filter", "absent"])
    assert isinstance(refused.exception, OptionError)


def test_an_unknown_filter_is_refused(zoo: Path, out: Path) -> None:
    result = CliRunner().invoke(filters, [str(zoo), "-o", str(out), "--data", str(zoo), "--filter", "magic"])
    assert result.exit_code != 0
    assert "expected one of onnxray" in str(result.exception or result.output)
