"""The script that scans third-party models with a known truth; the models themselves lie outside the project."""

import json
import re
from pathlib import Path
from shutil import copy

import pytest
from click.testing import CliRunner
from onnxray.models.bundled_files import bundled
from onnxray.models.suspects import Outcome, examine, main, rank_of, read_manifest, summary
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.findings import Evidence, Label

SHARED = Path(__file__).parents[3] / "shared"
needs_suspects = pytest.mark.skipif(
    not (SHARED / "suspects" / "manifest.json").is_file(), reason="no third-party models beside the project"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest over the bundled pair, a broken file, and a model whose data is not at hand."""
    entries = [
        {"file": "trojaned.onnx", "dataset": "samples", "trojaned": True, "target": 7},
        {"file": "clean.onnx", "dataset": "samples", "trojaned": False, "target": None},
        {"file": "broken.onnx", "dataset": "samples", "trojaned": False, "target": None},
        {"file": "elsewhere.onnx", "dataset": "faces (not at hand)", "trojaned": True, "target": 0},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"labelled": entries}))
    (tmp_path / "broken.onnx").write_text("this is not a model\n")
    for name in ("trojaned.onnx", "clean.onnx", "samples.npz"):
        copy(bundled(name), tmp_path / name)
    return tmp_path


def test_the_table_tells_right_from_missed(folder: Path) -> None:
    result = CliRunner().invoke(main, [str(folder), "--data", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0
    rows = [re.findall(r"[\w-]+", line) for line in result.output.splitlines()]
    # kind, models, backdoored, suspicious, clean, inconclusive, error, right target
    assert ["all-to-one", "backdoor", "1", "1", "0", "0", "0", "0", "1"] in rows
    assert ["clean", "2", "0", "0", "1", "0", "1", "-"] in rows
    assert "elsewhere" not in result.output
    nominated = [row for row in rows if row[:1] == ["trojaned"] and "neuron-inspect" in row]
    assert len(nominated) == 1


def test_a_conviction_of_another_class_is_a_miss(folder: Path) -> None:
    suspect = next(read_manifest(folder, folder, "labelled"))
    outcome = examine(suspect, ScanOptions())
    wrong = Outcome(type(suspect)(suspect.path, suspect.data, True, 3), outcome.report, "", 0.0)
    assert list(summary([wrong]).columns[-1].cells) == ["0"]
    assert list(summary([outcome]).columns[-1].cells) == ["1"]


@pytest.mark.parametrize(
    ("large", "target", "rank"), [(False, 2, 1), (False, 0, 3), (True, 0, 2), (True, 3, 4), (False, "x", 0)]
)
def test_the_rank_of_the_truth_counts_its_equals(large: bool, target: int | str, rank: int) -> None:
    evidence = Evidence("method", (2.0, 2.0, 1.0, float("nan")), "figure", large=large)
    assert rank_of(evidence, target) == rank


@needs_suspects
@pytest.mark.parametrize(
    ("name", "label", "targets"),
    [
        ("dillonsd_mnist_badnets_single_pixel_all_to_one", Label.BACKDOORED, (0,)),
        ("smu_mnist_mlp_clean", Label.CLEAN, ()),
        ("smu_mnist_mlp_robust", Label.CLEAN, ()),
    ],
)
def test_third_party_verdicts(name: str, label: Label, targets: tuple[int, ...]) -> None:
    (suspect,) = (s for s in read_manifest(SHARED / "suspects", SHARED / "data", "labelled") if s.path.stem == name)
    report = examine(suspect, ScanOptions()).report
    assert report is not None
    assert (report.verdict.label, report.verdict.targets) == (label, targets)


@needs_suspects
@pytest.mark.slow
def test_most_backdoors_are_found_and_hardly_a_clean_model_is_accused() -> None:
    outcomes = [examine(s, ScanOptions()) for s in read_manifest(SHARED / "suspects", SHARED / "data", "labelled")]
    trojaned = [o for o in outcomes if o.suspect.all_to_one]
    clean = [o for o in outcomes if o.suspect.trojaned is False]
    assert len(trojaned) == len(clean) == 9
    assert sum(o.convicted and o.right_target for o in trojaned) >= 7
    assert sum(o.convicted for o in clean) <= 1
