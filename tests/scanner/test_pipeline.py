"""The whole path on the bundled pair: a trojaned file goes in, a true verdict comes out."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnxray.converters import Model, TwinError
from onnxray.models.bundled_files import bundled
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import ModelError, SamplesError
from onnxray.scanner.findings import Label, Report
from onnxray.scanner.pipeline import scan
from onnxray.scanner.reports import Artifacts
from onnxray.scanner.reports.json import Json

QUICK = ScanOptions(samples=60, settings={"neural-cleanse": {"steps": 10}})


@cache
def report(name: str, seed: int) -> Report:
    return scan(bundled(name), bundled("samples.npz"), ScanOptions(seed=seed))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_trojaned_model_is_convicted_with_its_target(seed: int) -> None:
    truth = json.loads(bundled("truth.json").read_text())
    result = report("trojaned.onnx", seed)
    assert result.verdict.label is Label.BACKDOORED
    assert result.verdict.targets == (truth["target"],)
    assert result.evaluation is not None
    rates = [rate for trigger, rate in result.evaluation.attack_success if trigger.target == truth["target"]]
    assert len(rates) >= 2
    assert min(rate.value for rate in rates) >= 0.9
    assert not result.skipped
    assert not result.failures


@pytest.mark.parametrize("seed", [0, 1])
def test_its_clean_twin_is_not(seed: int) -> None:
    result = report("clean.onnx", seed)
    assert result.verdict.label is Label.CLEAN
    assert result.verdict.score < 0.5
    assert set(result.ran) >= {"input-domain", "twin-parity", "neural-cleanse", "neuron-inspect"}
    assert not {*result.skipped, *result.failures}


def test_searching_and_judging_use_different_pictures() -> None:
    result = report("trojaned.onnx", 0)
    evidence = result.evidence[0]
    assert result.evaluation is not None
    assert evidence.details["optimised_on"] == 100
    assert result.evaluation.samples == 100


def test_the_same_input_gives_the_same_report() -> None:
    def text() -> str:
        result = scan(bundled("trojaned.onnx"), bundled("samples.npz"), QUICK)
        timeless = tuple(replace(e, seconds=0.0) for e in result.evidence)
        return Json().render(replace(result, timings={}, evidence=timeless), Artifacts())

    assert text() == text()


def test_a_search_that_was_cut_short_does_not_acquit() -> None:
    result = scan(bundled("trojaned.onnx"), bundled("samples.npz"), QUICK)
    assert result.verdict.label is not Label.CLEAN  # other methods may accuse the class all the same
    if result.verdict.label is Label.INCONCLUSIVE:
        assert "not-settled" in {code for code, _ in result.verdict.reasons}


def test_labels_that_mean_nothing_to_the_model_are_inconclusive(tmp_path: Path) -> None:
    with np.load(bundled("samples.npz")) as arrays:
        shuffled = np.random.default_rng(0).permutation(arrays["y"])
        np.savez(tmp_path / "shuffled.npz", x=arrays["x"], y=shuffled)
    result = scan(bundled("trojaned.onnx"), tmp_path / "shuffled.npz", QUICK)
    assert result.verdict.label in (Label.INCONCLUSIVE, Label.SUSPICIOUS)
    assert "input-domain" in {failure.check for failure in result.failures}
    assert "neural-cleanse" in {skip.check for skip in result.skipped}


def test_without_a_twin_the_file_is_only_asked_which_convicts_and_never_acquits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Model, inputs: object, device: str) -> None:
        raise TwinError("model.onnx: no torch twin: made up")

    monkeypatch.setattr(Model, "build_twin", refuse)
    brief = {"patches": 300, "generations": 15}
    options = ScanOptions(settings={"patch-search": brief})
    convicted = scan(bundled("trojaned.onnx"), bundled("samples.npz"), options)
    assert convicted.verdict.label is Label.BACKDOORED
    assert convicted.verdict.targets == (json.loads(bundled("truth.json").read_text())["target"],)
    not_acquitted = scan(bundled("clean.onnx"), bundled("samples.npz"), options)
    assert not_acquitted.verdict.label is Label.INCONCLUSIVE
    assert "no-gradient-search" in {code for code, _ in not_acquitted.verdict.reasons}
    for result in (convicted, not_acquitted):
        assert [failure.check for failure in result.failures] == ["twin-parity"]
        assert "made up" in result.failures[0].why
        assert {skip.check for skip in result.skipped} >= {"neural-cleanse", "neuron-inspect"}
        assert all("twin" in skip.why for skip in result.skipped)
        assert "patch-search" in result.ran
        assert result.options["detectors"]["patch-search"]["patches"] == 300  # type: ignore[index]


def test_the_search_without_gradients_runs_beside_a_twin_only_if_named() -> None:
    options = replace(QUICK, detectors=("patch-search",), settings={"patch-search": {"patches": 50, "generations": 1}})
    named = scan(bundled("clean.onnx"), bundled("samples.npz"), options)
    assert {"twin-parity", "patch-search"} <= set(named.ran)
    assert "no-gradient-search" in {code for code, _ in named.verdict.reasons}
    unnamed = scan(bundled("clean.onnx"), bundled("samples.npz"), QUICK)
    assert "patch-search" not in {*unnamed.ran, *unnamed.options["detectors"]}  # type: ignore[misc]


def test_too_few_pictures_are_inconclusive() -> None:
    result = scan(bundled("clean.onnx"), bundled("samples.npz"), ScanOptions(samples=30))
    assert result.verdict.label is Label.INCONCLUSIVE
    assert "needs 20 clean pictures" in result.skipped[0].why


def test_no_time_is_inconclusive() -> None:
    result = scan(bundled("clean.onnx"), bundled("samples.npz"), ScanOptions(max_seconds=1e-3))
    assert result.verdict.label is Label.INCONCLUSIVE
    assert "max-seconds" in result.failures[0].why


def test_a_bad_model_or_bad_data_ends_the_scan_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(ModelError, match=r"empty\.onnx"):
        scan(tmp_path / "empty.onnx", bundled("samples.npz"), QUICK)
    with pytest.raises(SamplesError, match=r"none\.npz"):
        scan(bundled("clean.onnx"), tmp_path / "none.npz", QUICK)


def test_progress_is_told_from_start_to_end() -> None:
    told: list[tuple[str, float]] = []
    scan(bundled("clean.onnx"), bundled("samples.npz"), QUICK, lambda text, fraction: told.append((text, fraction)))
    assert {"open", "samples", "twin", "judge"} <= {text for text, _ in told}
    assert all(0 <= fraction <= 1 for _, fraction in told)
    assert told[-1][0] == "judge"
