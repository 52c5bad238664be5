"""What records come to: figures that can be worked out by hand, scores made again, mistakes told, files written."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from onnxray.models.bench import report_command
from onnxray.models.bench.record import Record, write_json
from onnxray.models.bench.report_command import report
from onnxray.models.bench.scores import load_records, rescored
from onnxray.models.bench.sheets import as_markdown, sheets
from onnxray.models.bench.summary import summarise
from onnxray.scanner.errors import SamplesError


class Loudest:
    """The loudest signal, a tenth for each unit; suspicious from 0.2."""

    def score(self, signals: Mapping[str, tuple[float, ...]], without: Collection[str] = ()) -> Any:
        known = [values for name, values in signals.items() if name.split(".")[0] not in without]
        totals = [max(column) for column in zip(*known, strict=True)] if known else [0.0]
        score = max(totals) / 10
        return SimpleNamespace(score=score, suspicious=score >= 0.2, target=totals.index(max(totals)))


def record(name: str, score: float, attack: str = "", who: str = "onnxray", **more: Any) -> Record:
    told: dict[str, Any] = {
        "part": "test", "dataset": "mnist", "network": "mlp", "sha256": "", "version": "1", "classes": 3,
        "trojaned": bool(attack), "targets": (1,) if attack else (), "attack_success": 1.0 if attack else None,
        "samples": 200, "samples_used": 200, "seconds": 2.0, "best": 1, "reasons": ("no-outlier",),
        "flagged": score >= 0.5, "label": "suspicious" if score >= 0.5 else "inconclusive",
    }  # fmt: skip
    return Record(name=name, attack=attack, who=who, score=score, **told | more)


ROWS = [
    record("t1", 0.9, "sig", signals={"a.rare": (0.0, 3.0, None), "b.far": (0.0, 1.0, 0.0)}, named=(1,)),
    record("t2", 0.6, "sig", signals={"a.rare": (2.5, 0.0, 0.0), "b.far": (0.0, 1.0, 0.0)}, named=(0,), best=0),
    record("t3", 0.4, "wanet", signals={"a.rare": (0.5, 1.5, 0.0), "b.far": (0.0, 0.0, 0.0)}, convicted=False),
    record("t4", 0.0, "wanet", status="failed", error="no twin", best=None),
    record("c1", 0.5, signals={"a.rare": (0.0, 2.0, 0.0), "b.far": (0.0, 0.0, 0.0)}, reasons=("nominated",)),
    record("c2", 0.1, signals={"a.rare": (0.1, 0.0, 0.0), "b.far": (0.0, 0.0, 0.0)}),
    record("s1", 0.0, "words", dataset="rotten_tomatoes", status="does-not-apply"),
]


def test_the_figures_by_hand() -> None:
    found = summarise(ROWS, "test")
    (result,) = found.results
    assert (result.trojaned, result.clean, result.failed, result.not_applicable) == (4, 2, 1, 1)
    assert result.auc is not None
    assert result.auc.value == pytest.approx(5 / 8)  # t1 and t2 above both, t3 above c2, t4 above none
    assert [(at.allowed, at.found.hits) for at in result.at] == [(0, 2)] * 3
    assert (result.flagged.hits, result.flagged.trials) == (2, 4)
    assert (result.false_alarms.hits, result.false_alarms.trials) == (1, 2)
    assert (result.target_right.hits, result.target_right.trials) == (1, 2)
    assert (result.best_right.hits, result.best_right.trials) == (2, 4)
    assert result.median_seconds == 2
    sig, wanet = (g for g in found.groups if g.by == "attack")
    assert (sig.name, sig.flagged.hits, wanet.name, wanet.flagged.hits) == ("sig", 2, "wanet", 0)
    assert sig.auc is not None
    assert sig.auc.value == 1
    assert found.ablation == ()


def test_an_attack_on_every_class_says_nothing_about_the_target() -> None:
    rows = [replace(ROWS[0], targets=(0, 1, 2)), ROWS[4]]
    (result,) = summarise(rows, "test").results
    assert (result.flagged.trials, result.target_right.trials) == (1, 0)


def test_mistakes_are_told_with_what_was_measured() -> None:
    told = {m.name: m for m in summarise(ROWS, "test").mistakes}
    assert set(told) == {"t2", "t3", "t4", "c1"}
    assert (told["t3"].kind, told["t4"].kind, told["c1"].kind) == ("missed", "failed", "false alarm")
    assert told["t3"].why == "class 1 stands out most (a.rare 1.5); no-outlier"
    assert told["t4"].why == "no twin"
    assert told["c1"].why == "nominated (a.rare 2.0)"
    assert told["t2"].why == "names class 0; class 1 is number 2 of 3 (b.far 1.0); no-outlier"


def test_scores_and_flags_are_made_again_from_the_signals() -> None:
    found = summarise(ROWS, "test", Loudest(), "loudest")
    (result,) = found.results
    assert result.auc is not None
    assert result.auc.value == pytest.approx(5 / 8)  # 0.3, 0.25, 0.15 and 0 beside 0.2 and 0.01
    assert (result.flagged.hits, result.false_alarms.hits) == (2, 1)
    by = {a.without: a for a in found.ablation}
    assert set(by) == {"a", "b"}
    assert by["b"].lost == 0
    assert by["a"].auc.value == pytest.approx((2 + 2 + 1 + 1) / 8)  # 0.1, 0.1, 0 and 0 beside 0 and 0
    assert by["a"].lost == pytest.approx(5 / 8 - 6 / 8)
    (trust,) = found.reliability
    assert sum(b.trojaned.trials for b in trust.reliability.bins) == 5  # without the failure
    quiet: dict[str, tuple[float | None, ...]] = {name: (0.0, 0.0, 0.0) for name in ROWS[0].signals}
    small = replace(ROWS[0], signals=quiet, reasons=("verified-trigger",))
    assert [row.flagged for row in rescored([small, replace(ROWS[0], signals=quiet)], Loudest())] == [True, False]
    assert rescored([replace(ROWS[0], signals=quiet)], Loudest())[0].label == "not suspicious"
    proven = [replace(ROWS[0], signals=quiet, convicted=True)]
    assert [rescored(proven, Loudest(), without)[0].score for without in ((), ("a",))] == [0.9, 0.0]


def test_peers_are_compared_and_differences_told() -> None:
    peer = [replace(r, who="mm-bd", score=5 - i, signals={}) for i, r in enumerate(ROWS[:-2])]
    found = summarise([*ROWS, *peer], "test", Loudest())
    assert [r.who for r in found.results] == ["onnxray", "mm-bd"]
    assert found.results[1].auc is not None
    assert found.results[1].auc.value == pytest.approx(3 / 4)  # the failure is below the clean one
    assert found.notes == ("With 200 samples not everyone has answered for all 7 models yet: mm-bd 5.",)
    assert all(len(row) == len(sheet.head) for sheet in sheets(found) for row in sheet.rows)
    mixed = summarise([*ROWS, replace(ROWS[0], name="t9", config="new")], "test")
    assert "different versions or settings" in mixed.notes[0]


def test_tables_are_honest_about_few_clean_models() -> None:
    first = next(sheets(summarise(ROWS, "test")))
    assert "50% at 0/2" in first.rows[0]
    text = as_markdown(first)
    assert "too few clean models to allow one" in text
    assert "1 by onnxray" in text  # of text
    assert text.splitlines()[2].count("|") == len(first.head) + 1


def write(folder: Path) -> None:
    for row in ROWS:
        write_json(row, folder / "records" / row.who / str(row.samples) / f"{row.name}.json")


def test_the_command_writes_json_and_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_command, "_scorer", lambda path: (Loudest(), "loudest"))
    write(tmp_path)
    told = CliRunner().invoke(report, [str(tmp_path), "--markdown", "--no-plots"], catch_exceptions=False).output
    assert "| onnxray | 200 | 4 | 2 | 0.625" in told
    assert "| missed | t3 | wanet |" in told
    found = json.loads((tmp_path / "benchmark.json").read_text())
    assert (found["schema"], found["calibration"], found["headline"]) == ("onnxray/benchmark/1", "loudest", 200)
    assert not list(tmp_path.glob("*.png"))
    pytest.importorskip("matplotlib")
    CliRunner().invoke(report, [str(tmp_path)], catch_exceptions=False)
    for name in ("roc", "samples", "attacks", "reliability"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
        assert (tmp_path / f"{name}.svg").read_text().startswith("<?xml")


def test_folders_that_hold_no_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="holds no records; make some with onnxray bench detection"):
        load_records(tmp_path)
    write(tmp_path)
    (tmp_path / "records" / "onnxray" / "200" / "t1.json").write_text('{"who": 3}')
    with pytest.raises(SamplesError, match=r"t1.json: not a record of this benchmark .*remove it"):
        load_records(tmp_path)
    with pytest.raises(SamplesError, match="no record of the part 'fit', only of test"):
        summarise(ROWS, "fit")
