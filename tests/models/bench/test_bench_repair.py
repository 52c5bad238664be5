"""Repairs of a zoo: judged on pictures that neither scan nor repair has seen, with the zoo's own stamped ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from onnxray.converters import Model
from onnxray.models.bench import repairing
from onnxray.models.bench.record import read_json
from onnxray.models.bench.repair_cases import make_case, parted
from onnxray.models.bench.repair_command import repair
from onnxray.models.bench.repair_summary import load_repairs, repair_sheets, summarise_repairs
from onnxray.models.bench.repairing import RepairRecord
from onnxray.models.bench.subjects import placed, stored
from onnxray.scanner.errors import OptionError
from onnxray.scanner.findings import Label, Rate, Verdict
from onnxray.scanner.repair_bench import Bench
from onnxray.scanner.repairs.clp import Clp
from onnxray.scanner.triggers import Trigger


def run(*arguments: object) -> str:
    return CliRunner().invoke(repair, list(map(str, arguments)), catch_exceptions=False).output


@pytest.fixture(autouse=True)
def no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan finds nothing, at once."""

    def scan(self: Bench, model: Model, seed: int) -> tuple[Verdict, list[Trigger]]:
        return Verdict(Label.INCONCLUSIVE, 0.0), []

    monkeypatch.setattr(Bench, "scan", scan)


@pytest.mark.parametrize("at_hand", [True, False])
def test_no_picture_serves_two_purposes(at_hand: bool, zoo: Path, names: dict[str, str]) -> None:
    (of,) = placed(zoo, ["test"], names["trojaned"])
    parts = parted(of, 100, zoo if at_hand else None)
    work, verify, judge = (set(p.index.tolist()) for p in (parts.work, parts.verify, parts.judge))
    assert not work & verify
    assert not (work | verify) & judge
    assert len(work) >= 40
    with np.load(of.place / "stamped.npz") as file:
        source = {
            picture.tobytes(): stored(of.place).index[at] for picture, at in zip(file["x"], file["source"], strict=True)
        }
    assert {int(source[picture.tobytes()]) for picture in parts.shown} <= judge
    few = parted(of, 10, zoo if at_hand else None)
    assert sorted(few.work.index) == sorted(few.verify.index)
    assert len(few.work.y) == 10


def test_the_attack_is_the_true_one(zoo: Path, names: dict[str, str]) -> None:
    (of,) = placed(zoo, ["test"], names["trojaned"])
    case = make_case(of, parted(of, 100, None))
    assert (case.model.predict(case.stamped) == case.wanted).mean() == 1
    assert set(case.wanted.tolist()) == {6}
    assert Rate.of(case.model.predict(case.judge.inputs()) == case.judge.labels).value > 0.5


def test_every_method_is_recorded_once(
    zoo: Path, out: Path, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(zoo, "-o", out, "--method", "clp", "--method", "few-samples", "--method", "unlearn", "--method", "auto")
    assert said.splitlines()[-1] == "7 records of 1 trojaned models"
    found = {(r.method, r.samples): r for r in load_repairs(out, "test")}
    assert set(found) == {
        ("auto", 400),
        ("auto", 10),
        ("clp", 400),
        ("few-samples", 400),
        ("few-samples", 10),
        ("unlearn", 400),
        ("unlearn", 10),
    }
    unlearn, auto = found["unlearn", 400], found["auto", 400]
    if unlearn.status == "nothing":  # whether a scan this short convicts is not what is tested here
        assert unlearn.note == "needs a trigger, and the scan convicted no class"
    assert auto.status == "done" or "found no trigger" in auto.note
    for record in found.values():
        assert record.name == names["trojaned"]
        assert record.attack_before[0] == record.attack_before[1] > 20
        assert record.accuracy_after[1] == record.accuracy_before[1] > 50
    before = {p.name: p.stat().st_mtime_ns for p in out.rglob("*.json")}
    monkeypatch.setattr(repairing, "make_case", lambda *_: pytest.fail("made again"))
    run(zoo, "-o", out, "--method", "clp", "--method", "few-samples")
    assert {p.name: p.stat().st_mtime_ns for p in out.rglob("*.json")} == before


def test_the_product_is_judged_on_the_file_that_it_writes(
    zoo: Path, out: Path, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def product(path: Path, data: Path, target: Path, options: Any) -> Any:
        with np.load(data) as file:
            given.append(len(np.unique(file["x"], axis=0)) == len(file["x"]) and len(file["x"]))
        target.write_bytes((zoo / "test" / names["clean"] / "model.onnx").read_bytes())
        return SimpleNamespace(out=target, method="swap", attempts=(), reason="")

    monkeypatch.setattr(repairing, "repair", product)
    run(zoo, "-o", out, "--method", "auto")
    assert given[1] == 10, "each picture is given once"
    assert given[0] > 10
    path = out / "repairs" / "auto" / "400" / f"{names['trojaned']}.json"
    record = read_json(path, RepairRecord)
    assert (record.status, record.note) == ("done", "by swap")
    assert record.attack_before[0] == record.attack_before[1]
    assert record.attack_after[0] < 0.5 * record.attack_after[1]


def test_a_repair_that_breaks_is_recorded(zoo: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def product(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(repairing, "repair", product)
    assert "failed: RuntimeError: a fault of ours" in run(zoo, "-o", out, "--method", "auto")
    with pytest.raises(OptionError, match="--method magic: expected one of auto, "):
        run(zoo, "-o", out, "--method", "magic")


def test_a_method_that_breaks_leaves_the_others_be(zoo: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a fault of its own")

    monkeypatch.setattr(Clp, "run", broken)
    said = run(zoo, "-o", out, "--method", "clp", "--method", "clip-activations")
    assert "failed: ValueError: a fault of its own" in said
    assert [r.status for r in load_repairs(out, "test") if r.method != "clp"] != ["failed"]


def record(name: str, method: str, attack: str, after: int, accuracy: int, **more: Any) -> RepairRecord:
    return RepairRecord(
        name=name, sha256="", part="test", dataset="mnist", network="mlp", attack=attack, trojaned=True, method=method,
        accuracy_before=(980, 1000), accuracy_after=(accuracy, 1000), attack_before=(200, 200),
        attack_after=(after, 200), **{"samples": 400, **more},
    )  # fmt: skip


def test_the_figures_by_hand() -> None:
    rows = [
        record("a", "auto", "sig", 10, 965, seconds=2.0),  # 5 % at 1.5 points: just closed
        record("b", "auto", "sig", 11, 980, seconds=4.0),  # halved, not closed
        record("c", "auto", "wanet", 0, 964),  # too dear
        record("d", "auto", "wanet", 200, 980, status="nothing", note="found nothing"),
        record("e", "auto", "words", 0, 0, status="does-not-apply"),
    ]
    found = summarise_repairs(rows, "test")
    (overall,) = found.overall
    assert (overall.closed.hits, overall.halved.hits, overall.repaired.hits) == (1, 3, 3)
    assert overall.closed.trials == 4
    assert found.not_applicable == 1
    assert overall.attack_after == pytest.approx((10 + 11 + 0 + 200) / 800)
    assert overall.accuracy_lost == pytest.approx((15 + 0 + 16 + 0) / 4000)
    assert [(g.attack, g.closed.hits) for g in found.by_attack] == [("sig", 1), ("wanet", 0)]
    assert [(r.name, r.why) for r in found.left_open] == [("b", ""), ("c", ""), ("d", "found nothing")]
    assert [len(row) == len(sheet.head) for sheet in repair_sheets(found) for row in sheet.rows].count(False) == 0
