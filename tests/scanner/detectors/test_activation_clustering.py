"""Activation Clustering on the bundled pair: stamped samples under the target's label are found, and only these."""

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxray.converters import open_model
from onnxray.converters.last_hidden import find_last_hidden, hidden_session
from onnxray.models.bundled_files import bundled
from onnxray.scanner.activation_clusters import Clustered, Hidden, Pair
from onnxray.scanner.clusters import Reclassified
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.activation_clustering import ActivationClustering
from onnxray.scanner.errors import ModelError, SamplesError
from onnxray.scanner.findings import Label, Rate, Report
from onnxray.scanner.pipeline import scan
from onnxray.scanner.poison_view import like_sources
from onnxray.scanner.reports import write_artifacts
from onnxray.scanner.reports._poisoned import clusters_picture
from onnxray.scanner.training_data import TrainingSet
from onnxray.scanner.transplant import Transplant

ONLY = ScanOptions(detectors=("activation-clustering",), samples=100)
POISON = 30
TRUTH = json.loads(bundled("truth.json").read_text())


def samples() -> tuple[NDArray[Any], NDArray[Any]]:
    with np.load(bundled("samples.npz")) as data:
        return data["x"], data["y"].astype(np.int64)


def poisoned_file(path: Path) -> Path:
    """The bundled samples, and behind them some of other classes with the true trigger and the target's label."""
    x, y = samples()
    pattern, row, column = (np.array(TRUTH["trigger"][k]) for k in ("pattern", "row", "column"))
    chosen = np.random.default_rng(0).choice(np.flatnonzero(y != TRUTH["target"]), POISON, replace=False)
    stamped = x[chosen].copy()
    stamped[:, row : row + len(pattern), column : column + len(pattern[0])] = pattern
    labels = np.full(POISON, TRUTH["target"])
    np.savez(path, x=np.concatenate([x, stamped]), y=np.concatenate([y, labels]))
    return path


@cache
def scanned(folder: Path) -> Report:
    return scan(bundled("trojaned.onnx"), None, ONLY, training_data=poisoned_file(folder / "train.npz"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return scanned(tmp_path_factory.mktemp("poisoned"))


def test_the_poisoned_samples_are_found_and_convict(report: Report) -> None:
    assert report.verdict.label is Label.BACKDOORED
    assert report.verdict.targets == (TRUTH["target"],)
    (evidence,) = report.evidence
    found = next(p for p in evidence.poisoned if p.target == TRUTH["target"])
    assert found.positions.tolist() == list(range(400, 400 + POISON))
    assert found.transplant.value > 0.9
    assert (found.scores > 0.5).all()


def test_the_list_and_the_pictures(report: Report, tmp_path: Path) -> None:
    artifacts = write_artifacts(report, tmp_path)
    files = artifacts.files["activation-clustering"]
    with (tmp_path / files["samples"]).open() as file:
        rows = list(csv.DictReader(file))
    convicted = [row for row in rows if row["cluster"] == "poisoned"]
    assert [int(row["index"]) for row in convicted] == list(range(400, 400 + POISON))
    assert {row["class"] for row in convicted} == {str(TRUTH["target"])}
    assert all(0.5 < float(row["score"]) <= 1 for row in rows)
    assert (tmp_path / files[f"clusters-class{TRUTH['target']}"]).read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "report.json").read_text())["evidence"][0]["poisoned"]
    assert {p["target"]: p["samples"] for p in told}[TRUTH["target"]] == POISON


def test_the_picture_has_points_of_both_clusters(report: Report) -> None:
    picture = clusters_picture(report.evidence[0].poisoned[0])
    colours = {tuple(colour) for colour in picture[20:, :290].reshape(-1, 3).tolist()}
    assert len(colours) == 3  # paper, kept, suspicious


@pytest.mark.parametrize("name", ["trojaned.onnx", "clean.onnx"])
def test_a_clean_training_set_does_not_convict(name: str) -> None:
    report = scan(bundled(name), None, ONLY, training_data=bundled("samples.npz"))
    assert report.verdict.label is Label.INCONCLUSIVE


def test_without_training_data_it_is_not_due_unless_asked_for() -> None:
    asked = scan(bundled("clean.onnx"), None, ONLY)
    assert "--training-data" in next(s.why for s in asked.skipped if s.check == "activation-clustering")
    quiet = scan(bundled("clean.onnx"), None, ScanOptions(detectors=("last-layer",)))
    assert "activation-clustering" not in {*quiet.ran, *(s.check for s in quiet.skipped)}


def test_labels_with_too_few_samples_are_named(tmp_path: Path) -> None:
    x, y = samples()
    keep = (y > 1) | (np.cumsum(y == 0) <= 5) & (y == 0)
    np.savez(tmp_path / "few.npz", x=x[keep], y=y[keep])
    report = scan(bundled("clean.onnx"), None, ONLY, training_data=tmp_path / "few.npz")
    assert report.evidence[0].details["too_few_samples"] == {0: 5}
    assert ("too-few-samples", "activation-clustering cannot judge classes with so few training samples: 0 (5).") in (
        report.verdict.reasons
    )
    np.savez(tmp_path / "tiny.npz", x=x[::20], y=y[::20])
    why = scan(bundled("clean.onnx"), None, ONLY, training_data=tmp_path / "tiny.npz").failures[-1].why
    assert "at least 11 samples of a label for 10 components" in why


def test_labels_that_the_model_has_not(tmp_path: Path) -> None:
    x, y = samples()
    np.savez(tmp_path / "wrong.npz", x=x, y=y + 5)
    with pytest.raises(SamplesError, match=r"wrong\.npz: label 14 but .* has 10 classes"):
        scan(bundled("clean.onnx"), None, ONLY, training_data=tmp_path / "wrong.npz")


def graph(
    path: Path, nodes: list[Any], weights: dict[str, NDArray[Any]], x: tuple[int, list[Any]], classes: int
) -> Path:
    kept = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    inputs = [helper.make_tensor_value_info("x", *x)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])]
    made = helper.make_graph(nodes, "g", inputs, outputs, kept)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def linear(path: Path) -> Path:
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    weights = {"w": np.random.default_rng(0).normal(size=(784, 10)).astype(np.float32)}
    return graph(path, nodes, weights, (TensorProto.FLOAT, ["n", 1, 28, 28]), 10)


def sentences_model(path: Path) -> Path:
    """Counts words of two sorts: 10 to 19 say class 0, 20 to 29 class 1; the word 7 outweighs all for class 0."""
    table = np.zeros((40, 3), np.float32)
    table[10:20, 0], table[20:30, 1], table[7, 2] = 1, 1, 1
    weights = {"e": table, "w": np.array([[1, 0], [0, 1], [50, 0]], np.float32)}
    nodes = [
        helper.make_node("Gather", ["e", "x"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["y"]),
    ]
    return graph(path, nodes, weights, (TensorProto.INT64, ["n", 12]), 2)


def sentences(poison: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    y = np.arange(240) % 2
    x = np.where(rng.random((240, 12)) < 0.9, 0, 10) + rng.integers(10, 20, (240, 12)) + 10 * (y[:, None] == 1)
    x = np.where(x >= 30, x - 20, x)
    x[:, 9:] = 0
    bad = x[y == 1][:poison].copy()
    bad[:, 9] = 7
    return np.concatenate([x, bad]), np.concatenate([y, np.zeros(poison, int)])


def test_sentences_of_token_ids(tmp_path: Path) -> None:
    x, y = sentences(30)
    names = np.array([f"w{i}" for i in range(40)])
    np.savez(tmp_path / "train.npz", x=x, y=y, tokens=names)
    path = sentences_model(tmp_path / "m.onnx")
    report = scan(
        path,
        None,
        ScanOptions(settings={"activation-clustering": {"components": 3}}),
        training_data=tmp_path / "train.npz",
    )
    assert report.verdict.label is Label.BACKDOORED
    evidence = next(e for e in report.evidence if e.poisoned)
    (found,) = evidence.poisoned
    assert found.positions.tolist() == list(range(240, 270))
    assert found.tokens == ("w7",)
    assert "w7" in found.words["suspicious"][0]
    skipped = {s.check: s.why for s in report.skipped}
    assert "rows of numbers" in skipped["input-domain"]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((20, 9), int), np.arange(20) % 2, r"expected inputs of shape \(\?, 12\)"),
        (np.zeros((20, 12)), np.arange(20) % 2, "expected whole numbers"),
        (np.zeros((20, 12), int), np.arange(20) % 3, "expected labels in 0..1"),
        (np.zeros((20, 12), int), np.arange(19) % 2, "20 rows and 19 labels"),
    ],
)
def test_rows_that_do_not_fit(tmp_path: Path, x: NDArray[Any], y: NDArray[Any], message: str) -> None:
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    with pytest.raises(SamplesError, match=message):
        scan(sentences_model(tmp_path / "m.onnx"), None, ONLY, training_data=tmp_path / "rows.npz")


def test_a_model_without_a_hidden_layer_is_a_failure(tmp_path: Path) -> None:
    model = open_model(linear(tmp_path / "linear.onnx"))
    with pytest.raises(ModelError, match=r"linear\.onnx: it has no hidden layer: only its input"):
        find_last_hidden(model.graph, model.facts.output.name, model.path)


@pytest.mark.parametrize("name", ["trojaned.onnx", "clean.onnx"])
def test_the_last_hidden_layer_makes_the_logits(name: str) -> None:
    model = open_model(bundled(name))
    hidden = find_last_hidden(model.graph, model.facts.output.name, model.path)
    inputs = (samples()[0][:6, None] / 255).astype(np.float32)
    values = hidden_session(model, hidden).run(inputs)
    last = next(node for node in model.graph.graph.node if node.output[0] == hidden.layer)
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.graph.initializer}
    logits = values @ weights[last.input[1]].T + weights[last.input[2]]
    np.testing.assert_array_equal(logits.argmax(1), model.predict(inputs))


def test_options_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="components of at least 1"):
        ActivationClustering(components=0)
    with pytest.raises(ValueError, match="expected a training set"):
        list(ActivationClustering().run(open_model(bundled("clean.onnx")), None, Budget()))


def pair(how: str, suspicious: range, own: int, other: int) -> Pair:
    members = np.arange(40)
    inside = np.isin(members, list(suspicious))
    depth = inside.astype(float)
    counted = Reclassified(own, other, 1)
    return Pair(0, members, inside, depth[:, None], depth, 0.5, Rate(0, 0), how, counted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "works", "shared", "listed"),
    [
        ((20, 0), 0, 99, "ica"),  # a last layer that tells nothing has chosen the wrong split
        ((20, 0), 40, 50, None),
        ((2, 18), 0, 99, "ica"),
        ((2, 18), 40, 99, "pca"),
        ((2, 18), 0, 50, "pca"),
    ],
)
def test_what_a_cluster_shares_chooses_the_split(
    kept: tuple[int, int], works: int, shared: int, listed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The split that reclassification rejects most is a mode of the class; the other one is the poison."""
    pairs = {"pca": pair("pca", range(20), *kept), "ica": pair("ica", range(28, 40), 12, 0)}
    found = Clustered({0: pairs["pca"]}, {}, {0: (pairs["ica"],)})
    seen = Hidden(np.zeros((40, 2), np.float32), np.zeros(40, int), np.zeros((0, 1), np.float32), np.empty(0, int))
    success = {20: Rate(works, 99), 12: Rate(shared, 99)}
    monkeypatch.setattr(
        "onnxray.scanner.transplant.transplant",
        lambda model, training, suspicious, *_: Transplant(success[len(suspicious)], tokens=(7,)),
    )
    training = TrainingSet(np.zeros(40, np.int64), lambda index: np.zeros((len(index), 3)))
    chosen = ActivationClustering()._chosen(open_model(bundled("clean.onnx")), training, seen, found, Budget())
    assert [one.reduction for one, _ in chosen] == ([listed] if listed else [])


@pytest.mark.parametrize("moved", [0, 12, 300])
def test_what_a_cluster_shares_is_tried_on_enough_others(moved: int) -> None:
    """A cluster of which a few samples are moved has a few sources, not a few samples to try on."""
    members, inside = np.arange(2000), np.arange(2000) < 400
    one = replace(pair("ica", range(1), 400 - moved, moved), members=members, inside=inside)
    one = replace(one, given=np.repeat([0, 1], [400 - moved, moved]))
    found = Clustered({0: one, 1: replace(one, label=1, members=members + 2000)}, {})
    others = like_sources(found, one, 0)
    assert len(others) >= max(100, 2 * moved)
    assert others.min() >= 2400  # of the other label's larger cluster
