"""``onnxray repair`` and ``onnxray evaluate`` as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnxray.models.bundled_files import bundled
from onnxray.scanner.catalog import inventory
from onnxray.scanner.cli.commands import main
from onnxray.scanner.cli.repair import _numbers, _rows
from onnxray.scanner.documents._html.repairs import repair_of
from onnxray.scanner.findings import Evaluation, Label, Rate, Verdict
from onnxray.scanner.repair_bench import Bench
from onnxray.scanner.store import Store
from onnxray.scanner.triggers import Trigger

MODEL, DATA = str(bundled("trojaned.onnx")), str(bundled("samples.npz"))


@pytest.fixture
def trigger(tmp_path: Path) -> str:
    mask = np.zeros((28, 28), np.float32)
    mask[24:27, 24:27] = 1
    np.savez(tmp_path / "arrays-class7.npz", mask=mask, pattern=mask[None])
    return str(tmp_path / "arrays-class7.npz")


@pytest.fixture(autouse=True)
def acquitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No scans, which take long."""
    monkeypatch.setattr(Bench, "scan", lambda self, model, seed: (Verdict(Label.CLEAN, 0.0), []))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_repair_tells_before_and_after(trigger: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out.onnx")
    result = run("repair", MODEL, "--data", DATA, "--trigger", trigger, "--method", "prune-neurons", "-o", out)
    assert result.exit_code == 0, result.output
    assert "clean accuracy" in result.output
    assert "attack on class 7" in result.output
    assert "cannot be proven" in result.output
    assert Path(out).is_file()


def judged(*hits: int) -> Evaluation:
    """Of three triggers of class 7, one of class 2, and one that moves every class, class 0 to 7."""
    flat = np.zeros((2, 2), np.float32)
    seven, two = (Trigger(target, flat, flat[None]) for target in (7, 2))
    shift = Trigger(7, flat, flat[None], mapping=(7, 0, 1))
    rates = (Rate(hit, 100) for hit in hits)
    triggers = (seven, two, seven, shift, seven)
    return Evaluation(Rate(95, 100), tuple(zip(triggers, rates, strict=True)), 100, "cpu")


def test_each_class_has_one_line_with_the_worst_of_its_triggers() -> None:
    assert list(_rows(judged(90, 80, 99, 85, 95), judged(1, 2, 3, 4, 5))) == [
        ("clean accuracy", "95.0%", "95.0%"),
        ("attack on class 7 (worst of 3 triggers)", "99.0%", "5.0%"),
        ("attack on class 2", "80.0%", "2.0%"),
        ("attack that moves every class", "85.0%", "4.0%"),
    ]


def test_the_page_tells_the_attacks_of_the_json_apart_as_the_text_does() -> None:
    sides = {"before": _numbers(judged(90, 80, 99, 85, 95)), "after": _numbers(judged(1, 2, 3, 4, 5))}
    told = json.loads(json.dumps(sides))
    assert [attack["mapping"] for attack in told["before"]["attacks"]] == [None, None, None, [7, 0, 1], None]
    found = [(c.name, c.before_words, c.after_words) for c in repair_of(told).changes]
    assert found == list(_rows(judged(90, 80, 99, 85, 95), judged(1, 2, 3, 4, 5)))


def test_a_repair_that_fails_exits_with_1_and_writes_nothing(trigger: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out.onnx")
    result = run(
        "repair", MODEL, "--data", DATA, "--trigger", trigger, "--method", "clp", "-o", out, "-f", "json",
        "--set", "clp.u=50",
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    assert told["schema"] == "onnxray/repair/1"
    assert told["repaired"] is False
    assert "stands out" in told["attempts"][0]["problem"]
    assert not Path(out).exists()


def test_json_has_both_evaluations(trigger: str, tmp_path: Path) -> None:
    arguments = ("--trigger", trigger, "--method", "prune-neurons", "-o", str(tmp_path / "out.onnx"), "-f", "json")
    told = json.loads(run("repair", MODEL, "--data", DATA, *arguments).stdout)
    assert told["before"]["attacks"][0]["rate"] > 0.95
    assert told["after"]["attacks"][0]["rate"] <= 0.1
    assert set(told["edited"]) == {"onnx::Conv_40", "onnx::Conv_41"}


def test_a_repair_is_kept_in_a_store_with_its_model(trigger: str, tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    arguments = ["repair", MODEL, "--data", DATA, "--trigger", trigger, "--method", "prune-neurons"]
    arguments += ["-o", str(tmp_path / "out.onnx"), "-f", "json", "--store", str(path)]
    missing = run(*arguments)
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "there is no such file" in missing.output
    with Store.open(path) as store:
        catalog = inventory([MODEL])
        store.record(catalog, {entry.name: "a" * 64 for entry in catalog.entries}, ())
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "has no scan" not in result.stderr
    shown = run("results", str(path), "-f", "jsonl")
    assert json.loads(shown.stdout)["repair"] == json.loads(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("repair", MODEL, "--data", DATA, "-o", "out.txt"), "ends in .onnx"),
        (("repair", MODEL, "--data", DATA, "-o", MODEL), "never modified"),
        (("repair", MODEL, "--data", DATA, "-o", "out.onnx", "--trigger", "nowhere"), "no such trigger file"),
        (("repair", MODEL, "--data", DATA, "-o", "out.onnx", "--set", "clp.v=1"), "has no option"),
        (("evaluate", MODEL, "--data", DATA, "--trigger", DATA), "mask"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 4, result.output
    assert words in " ".join(result.output.split())


def test_evaluate_as_text_and_json(trigger: str) -> None:
    text = run("evaluate", MODEL, "--data", DATA, "--samples", "100", "--trigger", trigger)
    assert text.exit_code == 0, text.output
    assert "class 7" in text.output
    assert "attack on 7" in text.output
    told = json.loads(run("evaluate", MODEL, "--data", DATA, "--trigger", trigger, "-f", "json").stdout)
    assert told["schema"] == "onnxray/evaluation/1"
    assert told["samples"] == 400
    assert told["attack_success_rate"]["7"] > 0.95
    assert len(told["class_accuracy"]) == 10
    assert told["clean_accuracy"] == pytest.approx(sum(told["class_accuracy"].values()) / 10)
