"""A repair from file to file: what is tried, what is kept, what is said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from onnx import numpy_helper
from onnxray.converters import Model, open_model
from onnxray.converters.edited import weight_values
from onnxray.models.bundled_files import bundled
from onnxray.scanner import repair as pipeline
from onnxray.scanner.errors import ModelError, OptionError
from onnxray.scanner.findings import Label, Verdict
from onnxray.scanner.measurement import measure
from onnxray.scanner.repair import repair
from onnxray.scanner.repair_bench import Bench
from onnxray.scanner.repair_report import RepairOptions, RepairReport
from onnxray.scanner.repairs import Budget, Repair, Repaired
from onnxray.scanner.repairs.clp import Clp
from onnxray.scanner.samples import Samples
from onnxray.scanner.trigger_files import load_triggers
from onnxray.scanner.triggers import Trigger

DATA = bundled("samples.npz")
ACQUITTED = Verdict(Label.CLEAN, 0.0)


@pytest.fixture
def trigger(tmp_path: Path) -> Path:
    """The true trigger of the bundled model: 3 x 3 white at row and column 24."""
    mask = np.zeros((28, 28), np.float32)
    mask[24:27, 24:27] = 1
    np.savez(tmp_path / "arrays-class7.npz", mask=mask, pattern=mask[None])
    return tmp_path / "arrays-class7.npz"


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No scans, which take long: every model is acquitted. Gives the seeds that were asked for."""
    seeds: list[int] = []

    def scan(self: Bench, model: Model, seed: int) -> tuple[Verdict, list[Trigger]]:
        seeds.append(seed)
        return ACQUITTED, []

    monkeypatch.setattr(Bench, "scan", scan)
    return seeds


def options(method: str = "auto", **values: Any) -> RepairOptions:
    return RepairOptions(**{"method": method, "tolerance": 0.03, **values})


def test_auto_goes_on_until_a_method_holds_the_accuracy(trigger: Path, scans: list[int], tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    report = repair(bundled("trojaned.onnx"), DATA, out, options(tolerance=0.015), trigger)
    assert report.out == out
    assert report.after is not None
    ((_, before),) = report.before.attack_success
    ((_, after),) = report.after.attack_success
    assert before.value > 0.95
    assert after.value <= 0.1
    assert report.after.clean_accuracy.value >= report.before.clean_accuracy.value - 0.015
    assert [a.problem == "" for a in report.attempts] == [*[False] * (len(report.attempts) - 1), True]
    assert report.scan is None
    assert scans == [1000]
    measured = measure(out, DATA, [trigger])
    assert measured.attack_success[7].value <= 0.1
    assert measured.sha256 != report.model.sha256


def test_the_edited_weights_are_told(trigger: Path, scans: list[int], tmp_path: Path) -> None:
    report = repair(bundled("trojaned.onnx"), DATA, tmp_path / "o.onnx", options("prune-neurons"), trigger)
    assert set(report.edited) == {"onnx::Conv_40", "onnx::Conv_41"}
    assert all(count > 0 for count in report.edited.values())


def test_nothing_is_written_where_nothing_works(trigger: Path, scans: list[int], tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    report = repair(bundled("trojaned.onnx"), DATA, out, options("prune-neurons", dead=0.0, tolerance=0.0), trigger)
    assert report.out is None
    assert report.reason
    assert not out.exists()
    assert not scans


def test_nothing_is_written_where_nothing_was_found(scans: list[int], tmp_path: Path) -> None:
    report = repair(bundled("clean.onnx"), DATA, tmp_path / "out.onnx", options())
    assert report.out is None
    assert "no trigger" in report.reason
    assert not report.attempts
    assert scans == [0]


@pytest.mark.parametrize("rescan", [Label.SUSPICIOUS, Label.CLEAN])
def test_an_accused_model_without_a_trigger_must_be_acquitted(
    rescan: Label, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [Verdict(Label.SUSPICIOUS, 0.5, (7,))]
    monkeypatch.setattr(
        Bench, "scan", lambda self, model, seed: (answers.pop() if answers else Verdict(rescan, 0.5, ()), [])
    )
    monkeypatch.setattr(pipeline, "_methods", lambda *_: {"clp": Clp()})
    out = tmp_path / "out.onnx"
    report = repair(bundled("trojaned.onnx"), DATA, out, options(rounds=1))
    (attempt,) = report.attempts
    assert attempt.method == "clp"
    assert out.exists() == (rescan is Label.CLEAN)
    if rescan is not Label.CLEAN:
        assert attempt.problem == (
            "there is no trigger to measure it by, and the re-scan with a fresh seed says suspicious"
        )
        assert "found no trigger to close, and no method that needs none is acquitted" in report.reason


def test_what_a_rescan_finds_is_closed_in_the_next_round(
    trigger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(Verdict(Label.BACKDOORED, 1.0, (7,)), load_triggers(trigger)), (ACQUITTED, [])]
    monkeypatch.setattr(Bench, "scan", lambda self, model, seed: answers.pop(0))
    report = repair(bundled("trojaned.onnx"), DATA, tmp_path / "out.onnx", options("unlearn", tolerance=0.06), trigger)
    assert [(a.round, bool(a.problem)) for a in report.attempts] == [(1, True), (2, False)]
    assert "still finds a backdoor, of class 7" in report.attempts[0].problem
    assert report.after is not None
    assert len(report.after.attack_success) == len(report.before.attack_success) == 2
    changed = {t.name for t in open_model(tmp_path / "out.onnx").graph.graph.initializer}
    assert set(report.edited) <= changed


@dataclass(frozen=True, kw_only=True)
class Leaning(Repair):
    """Leans the last layer towards class 0, so that the further it goes the more pictures it takes in."""

    trains: ClassVar[bool] = True
    by: float = 20.0

    def run(self, model: Model, samples: Samples, triggers: Sequence[Trigger], budget: Budget) -> Repaired:
        bias = numpy_helper.to_array(weight_values(model)["0.10.bias"])
        return Repaired({"0.10.bias": np.asarray(bias + self.by * (np.arange(10) == 0), np.float32)}, note="leant")


def test_trained_weights_that_cost_too_much_are_gone_part_of_the_way(
    trigger: Path, scans: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lean(by: float, tolerance: float, out: str, of: Path | None = trigger) -> RepairReport:
        monkeypatch.setattr(pipeline, "_methods", lambda *_: {"leaning": Leaning(by=by)})
        chosen = options("leaning", rounds=1, tolerance=tolerance)
        return repair(bundled("clean.onnx"), DATA, tmp_path / out, chosen, of)

    whole, none = lean(2.0, 1.0, "whole.onnx"), lean(50.0, 0.03, "none.onnx")
    assert whole.after is not None
    assert whole.attempts[0].note == "leant"
    assert none.out is None
    assert "points of clean accuracy" in none.attempts[0].problem
    lost = whole.before.clean_accuracy.value - whole.after.clean_accuracy.value
    part = lean(2.0, lost - 1e-6, "part.onnx")
    assert part.after is not None
    assert part.attempts[0].note.startswith("leant; kept ")
    assert part.after.clean_accuracy.value > whole.after.clean_accuracy.value
    assert lean(2.0, lost - 1e-6, "untold.onnx", of=None).out is None  # no trigger tells whether a part will do
    old, new = (
        numpy_helper.to_array(weight_values(open_model(p))["0.10.bias"])
        for p in (bundled("clean.onnx"), tmp_path / "part.onnx")
    )
    gone = (new - old)[0] / 2.0
    assert gone == pytest.approx(float(part.attempts[0].note.split()[2].rstrip("%")) / 100, abs=1e-4)


def test_too_few_samples_are_told_with_the_number_needed(trigger: Path, scans: list[int], tmp_path: Path) -> None:
    few = options("prune-neurons", samples=24)
    report = repair(bundled("trojaned.onnx"), DATA, tmp_path / "out.onnx", few, trigger)
    assert report.attempts[0].problem.startswith("needs 40 clean samples, half of them to work on, got 24")


def test_classes_without_samples_are_told(trigger: Path, scans: list[int], tmp_path: Path) -> None:
    with np.load(DATA) as arrays:
        kept = ~np.isin(arrays["y"], [2, 5])
        np.savez(tmp_path / "some.npz", x=arrays["x"][kept], y=arrays["y"][kept])
    report = repair(
        bundled("trojaned.onnx"), tmp_path / "some.npz", tmp_path / "o.onnx", options("prune-neurons"), trigger
    )
    assert any("class 2, 5" in note for note in report.notes)
    measured = measure(bundled("trojaned.onnx"), tmp_path / "some.npz")
    assert measured.classes[2].trials == 0


def test_the_original_is_never_overwritten(trigger: Path, scans: list[int], tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(bundled("trojaned.onnx").read_bytes())
    with pytest.raises(ModelError, match="never modified"):
        repair(model, DATA, model, options("prune-neurons"), trigger)
    assert model.read_bytes() == bundled("trojaned.onnx").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"method": "magic"}, "no repair 'magic'"), ({"settings": {"clp": {"u": 2}}, "method": "unlearn"}, "clp")],
)
def test_wrong_options_are_named(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=words):
        repair(bundled("clean.onnx"), DATA, tmp_path / "o.onnx", replace(RepairOptions(), **change))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"mask": np.ones((28, 28))}, "mask .* and pattern"),
        ({"mask": np.ones((28, 28)) * 255, "pattern": np.ones((1, 28, 28))}, r"in \[0, 1\] in mask"),
        ({"mask": np.ones((28, 28)), "pattern": np.ones((1, 20, 28))}, "a mask"),
        ({"mask": np.ones((28, 28)), "pattern": np.ones((1, 28, 28)), "target": 0.5}, "one whole number"),
        ({"mask": np.ones((8, 8)), "pattern": np.ones((1, 8, 8)), "target": 1}, "for pictures"),
        ({"mask": np.ones((28, 28)), "pattern": np.ones((1, 28, 28)), "target": 99}, "has 10 classes"),
    ],
)
def test_wrong_trigger_files_are_told(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(OptionError, match=words):
        measure(bundled("clean.onnx"), DATA, [tmp_path / "t.npz"], samples=40)


def test_a_report_folder_gives_all_its_triggers(trigger: Path, tmp_path: Path) -> None:
    with np.load(trigger) as arrays:
        np.savez(tmp_path / "arrays-class3.npz", **arrays, target=4)
    found: Sequence[Trigger] = load_triggers(tmp_path)
    assert [t.target for t in found] == [4, 7]  # what the file says counts more than its name
    with pytest.raises(OptionError, match="holds no arrays-class"):
        load_triggers(bundled("truth.json").parent)


def test_no_plugin_is_ranked_twice() -> None:
    ranks = [type(method).rank for method in pipeline._methods(RepairOptions()).values()]
    assert ranks == sorted(set(ranks))


def test_external_data_stays_external(trigger: Path, scans: list[int], tmp_path: Path) -> None:
    import onnx

    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    proto = onnx.load(bundled("trojaned.onnx"))
    model, out = tmp_path / "in" / "model.onnx", tmp_path / "out" / "model.onnx"
    onnx.save(proto, model, save_as_external_data=True, location="weights.bin", size_threshold=0)
    report = repair(model, DATA, out, options("prune-neurons"), trigger)
    assert report.out == out
    one, two = (folder.read_bytes() for folder in (tmp_path / "in" / "weights.bin", tmp_path / "out" / "weights.bin"))
    assert len(one) == len(two)
    assert one != two
    assert out.read_bytes() == model.read_bytes()
