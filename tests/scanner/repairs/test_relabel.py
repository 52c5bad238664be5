"""The repair of a model by its own training set: the poison is found, relabelled and unlearnt, or nothing is done."""

import json
from dataclasses import replace

import numpy as np
import pytest
from onnxray.converters import Model, open_model
from onnxray.converters.edited import run_edited
from onnxray.models.bundled_files import bundled
from onnxray.scanner.domain_search import find_domain
from onnxray.scanner.errors import RepairError
from onnxray.scanner.images import load_images
from onnxray.scanner.repairs import Budget
from onnxray.scanner.repairs.relabel import Relabel
from onnxray.scanner.samples import Samples
from onnxray.scanner.training_data import TrainingSet

TRUTH = json.loads(bundled("truth.json").read_text())
POISON = 30
Case = tuple[Model, Samples, Samples]


def stamped(samples: Samples) -> Samples:
    images, trigger = samples.images.copy(), TRUTH["trigger"]
    pattern = np.array(trigger["pattern"], np.float32) / 255
    row, column = trigger["row"], trigger["column"]
    images[:, 0, row : row + len(pattern), column : column + len(pattern[0])] = pattern
    return replace(samples, images=images)


@pytest.fixture(scope="module")
def case() -> Case:
    """The trojaned model, the bundled samples to work on, and others to judge with."""
    model = open_model(bundled("trojaned.onnx"))
    _, samples = find_domain(model, load_images(bundled("samples.npz")))
    judge = samples.take(np.arange(len(samples)) % 5 == 0)
    work = samples.take(np.arange(len(samples)) % 5 != 0)
    model.build_twin(work.inputs()[:48])
    return model, work, judge


def training_set(work: Samples, poison: int) -> TrainingSet:
    bad = stamped(work.outside([TRUTH["target"]])).draw(poison, 0)
    images = np.concatenate([work.images, bad.images[:poison]])
    labels = np.concatenate([work.labels, np.full(poison, TRUTH["target"])])

    def to_input(pictures: np.ndarray) -> np.ndarray:
        return np.asarray(work.domain.to_input(pictures), np.float32)

    return TrainingSet(labels, lambda i: to_input(images[i]), lambda i: images[i], to_input, source="train.npz")


def test_relabelling_closes_the_true_trigger(case: Case) -> None:
    model, work, judge = case
    repaired = Relabel(epochs=8).run(model, work, (), Budget(seed=1, training=training_set(work, POISON)))
    assert 0.7 * POISON <= repaired.details["samples"] <= POISON  # type: ignore[operator]
    assert f"labelled {TRUTH['target']} relabelled" in repaired.note
    session, others = run_edited(model, repaired.edits), judge.outside([TRUTH["target"]])
    triggered = stamped(others).inputs()
    assert (model.predict(triggered) == TRUTH["target"]).mean() > 0.95
    assert (session.run(triggered).argmax(1) == TRUTH["target"]).mean() < 0.1
    before, after = (r.run(judge.inputs()).argmax(1) == judge.labels for r in (model, session))
    assert after.mean() >= before.mean() - 0.03


def test_a_clean_training_set_leaves_nothing_to_relabel(case: Case) -> None:
    model, work, _ = case
    with pytest.raises(RepairError, match=r"train\.npz: no poisoned samples were found"):
        Relabel().run(model, work, (), Budget(training=training_set(work, 0)))


def test_without_a_training_set_it_says_what_to_give(case: Case) -> None:
    model, work, _ = case
    with pytest.raises(RepairError, match="--training-data"):
        Relabel().run(model, work, (), Budget())
