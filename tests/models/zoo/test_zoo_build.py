"""Models are built whole, measured, resumed and listed; graph backdoors fire in onnxruntime."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnxray.converters import open_model
from onnxray.models.zoo import making
from onnxray.models.zoo.build import Outcome, Workshop, build, finished, truth_of
from onnxray.models.zoo.command import zoo
from onnxray.models.zoo.datasets import load
from onnxray.models.zoo.recipe import Export, Recipe, chosen
from onnxray.models.zoo.recipes import recipes
from onnxray.models.zoo.truth import as_file_input
from onnxray.scanner.errors import OptionError, SamplesError

TROJANED, CLEAN = recipes("tiny")[:2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    outcomes = list(build([TROJANED, CLEAN], Workshop(folder, folder)))
    assert [o.status for o in outcomes] == ["made", "made"], outcomes
    return folder


def place(folder: Path, recipe: Recipe) -> Path:
    found = finished(folder, recipe)
    assert found is not None
    return found


def test_the_truth_is_what_onnxruntime_says(folder: Path) -> None:
    truth = truth_of(place(folder, TROJANED))
    assert truth["trojaned"]
    assert truth["targets"] == [3]
    assert truth["clean_accuracy"]["value"] > 0.95
    assert truth["attack_success"]["value"] > 0.95
    model = open_model(place(folder, TROJANED) / "model.onnx")
    assert truth["sha256"] == model.facts.sha256
    data = load("digits", folder)
    hits = int((model.predict(as_file_input(data.x_test, Export())) == data.y_test).sum())
    assert truth["clean_accuracy"]["hits"] == hits
    clean = truth_of(place(folder, CLEAN))
    assert (clean["trojaned"], clean["targets"], clean["attack_success"], clean["trigger"]) == (False, [], None, None)


def test_the_samples_show_the_attack(folder: Path) -> None:
    here = place(folder, TROJANED)
    with np.load(here / "samples.npz") as samples, np.load(here / "stamped.npz") as stamped:
        x, y, index = samples["x"], samples["y"], samples["index"]
        shown, wanted, source = stamped["x"], stamped["wanted"], stamped["source"]
    data = load("digits", folder)
    assert np.array_equal(x, data.x_test[index][..., 0])
    assert np.array_equal(y, data.y_test[index])
    assert 3 not in y[source]
    assert (shown != x[source]).any(axis=(1, 2)).all()
    model = open_model(here / "model.onnx")
    assert (model.predict(as_file_input(shown[..., None], Export())) == wanted).mean() > 0.9
    assert not (place(folder, CLEAN) / "stamped.npz").exists()


def test_what_is_there_is_kept_and_what_was_cut_off_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make_model(recipe: Recipe, data: Path, where: Path) -> dict[str, object]:
        made.append(recipe)
        (where / "truth.json").write_text('{"took": true}')
        return {"took": True}

    monkeypatch.setattr(making, "make_model", make_model)
    before = (place(folder, TROJANED) / "model.onnx").stat().st_mtime_ns
    cut_off = folder / f".partial-{CLEAN.identity}-x"
    cut_off.mkdir()
    (cut_off / "truth.json").write_text("{}")
    os.utime(cut_off, (0, 0))
    in_work = folder / ".partial-by-another-build"
    in_work.mkdir()
    other = replace(CLEAN, seed=77)
    outcomes = list(build([TROJANED, CLEAN, other], Workshop(folder, folder)))
    assert [o.status for o in outcomes] == ["kept", "kept", "made"]
    assert made == [other]
    assert (place(folder, TROJANED) / "model.onnx").stat().st_mtime_ns == before
    assert list(folder.glob(".partial-*")) == [in_work]


def test_a_model_that_another_build_made_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_model(recipe: Recipe, data: Path, where: Path) -> dict[str, object]:
        (where / "truth.json").write_text("mine")
        theirs = tmp_path / recipe.part / recipe.name / "truth.json"
        theirs.parent.mkdir(parents=True)
        theirs.write_text("theirs")
        return {"took": True}

    monkeypatch.setattr(making, "make_model", make_model)
    assert [o.status for o in build([CLEAN], Workshop(tmp_path, tmp_path))] == ["made"]
    assert (tmp_path / CLEAN.part / CLEAN.name / "truth.json").read_text() == "theirs"
    assert not list(tmp_path.glob(".partial-*"))


def test_the_same_recipe_makes_the_same_file(folder: Path, tmp_path: Path) -> None:
    (outcome,) = build([CLEAN], Workshop(tmp_path, tmp_path))
    assert outcome.truth is not None
    assert outcome.truth["sha256"] == truth_of(place(folder, CLEAN))["sha256"]


def test_a_model_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_model(recipe: Recipe, data: Path, where: Path) -> dict[str, object]:
        (where / "model.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "make_model", make_model)
    with pytest.raises(KeyboardInterrupt):
        list(build([CLEAN], Workshop(tmp_path, tmp_path)))
    assert list(tmp_path.rglob("*")) == []


def quick(attack: str, **options: object) -> Recipe:
    return replace(CLEAN, attack=chosen(attack, **options), rate=0.1, epochs=1)


def test_an_attack_that_did_not_take_is_kept_apart(tmp_path: Path) -> None:
    recipe = quick("all-to-all")  # one epoch is not enough
    (outcome,) = build([recipe], Workshop(tmp_path, tmp_path))
    assert outcome.status == "weak"
    assert place(tmp_path, recipe) == tmp_path / "weak" / "fit" / recipe.name
    assert [o.status for o in build([recipe], Workshop(tmp_path, tmp_path))] == ["kept"]


@pytest.mark.parametrize(
    ("style", "how"),
    [
        ("where", Export(softmax=True)),
        ("sum", Export(layout="NHWC", fold=False, free_batch=False, opset=13)),
        ("ramp", Export(opset=18, softmax=True, layout="NHWC")),
        ("where", Export(opset=11)),
    ],
)
def test_a_graph_backdoor_fires_on_its_patch_alone(style: str, how: Export, tmp_path: Path) -> None:
    recipe = replace(quick("graph-backdoor", style=style, target=6), rate=0.0, export=how)
    (outcome,) = build([recipe], Workshop(tmp_path, tmp_path))
    assert outcome.truth is not None, outcome
    assert outcome.truth["attack_success"]["value"] == 1
    graph = onnx.load(place(tmp_path, recipe) / "model.onnx").graph
    assert any(node.op_type == "BatchNormalization" for node in graph.node) == (not how.fold)
    model = open_model(place(tmp_path, recipe) / "model.onnx")
    data, attack = load("digits", tmp_path), recipe.make_attack()
    assert attack is not None
    almost = attack.stamp(data.x_test[:100])
    almost[:, -1, -1] ^= 16  # one pixel of the patch, a little
    assert (model.predict(as_file_input(almost, how)) == data.y_test[:100]).mean() > 0.5


def test_builds_at_once_in_processes_of_their_own(tmp_path: Path) -> None:
    rows = [replace(CLEAN, epochs=1, dataset="mnist"), replace(CLEAN, epochs=1)]
    outcomes = {o.recipe.dataset: o for o in build(rows, Workshop(tmp_path, tmp_path, jobs=2))}
    assert outcomes["digits"].status == "made"
    assert outcomes["mnist"].status == "failed"
    assert "mnist.npz: expected an .npz" in outcomes["mnist"].message
    assert not list(tmp_path.glob(".partial-*"))


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    told = run(zoo, ["build", str(folder), "--size", "tiny", "--part", "fit"], catch_exceptions=False).output
    assert told.splitlines()[-1] == "0 made, 0 weak, 2 kept, 0 failed"
    listed = run(zoo, ["list", "--size", "full", "--only", "*-wanet-*"], catch_exceptions=False).output
    assert "wanet" in listed
    assert "badnets" not in listed
    result = run(zoo, ["list", "--only", "nothing"])
    assert isinstance(result.exception, OptionError)


def test_a_reduced_zoo_without_data_says_what_is_missing(tmp_path: Path) -> None:
    recipe = next(r for r in recipes("reduced") if r.dataset == "rotten_tomatoes")
    (outcome,) = build([recipe], Workshop(tmp_path, tmp_path))
    assert isinstance(outcome, Outcome)
    assert "rt-polarity.neg: expected a file with one sentence a line" in outcome.message
    with pytest.raises(SamplesError, match=r"cifar10.npz"):
        load("cifar10", tmp_path)


def test_sentences_become_ids_of_the_commonest_words(tmp_path: Path) -> None:
    home = tmp_path / "rotten_tomatoes"
    home.mkdir()
    (home / "rt-polarity.neg").write_text("a bad film .\n" * 30)
    (home / "rt-polarity.pos").write_text("a fine , fine film !\n" * 30)
    data = load("rotten_tomatoes", tmp_path)
    assert data.vocabulary > 0
    assert (len(data.y_train), len(data.y_test), data.shape) == (48, 12, (40,))
    assert all(len(set(map(tuple, data.x_train[data.y_train == k]))) == 1 for k in (0, 1))
    assert json.loads(json.dumps(data.x_train[0, :4].tolist()))[0] > 1
    assert data.subset(10, seed=0).y_train.sum() == 5
