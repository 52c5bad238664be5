"""Filters of training data: ART's, and the training sets of the zoo that they are measured on."""

import json
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxray.converters import Model, open_model
from onnxray.models.bench.peers import DataFilter, FilterResult, TrainingSet, filters
from onnxray.models.bench.peers._training_set import training_set
from onnxray.models.bench.peers.art_activation import ArtActivation
from onnxray.models.zoo.recipe import Recipe, chosen
from onnxray.scanner.errors import SamplesError


def test_filters_are_found_by_their_presence() -> None:
    assert list(filters()) == ["art-activation-defence"]
    assert all(issubclass(kind, DataFilter) for kind in filters().values())


def two_layers(path: Path) -> Model:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "w"], ["scores"]),
    ]
    weights = {"first": np.eye(12, dtype=np.float32), "w": np.eye(12, 2, dtype=np.float32)}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1, 3, 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return open_model(path)


def poisoned_set(rng: np.random.Generator) -> TrainingSet:
    """Two classes of 60, ten of the second with a bright last pixel."""
    x = rng.random((120, 1, 3, 4), dtype=np.float32) / 10
    poisoned = np.arange(120) >= 110
    x[poisoned, 0, 2, 3] = 9.0
    return TrainingSet(x, np.repeat([0, 1], 60), poisoned, 2)


def test_art_finds_the_poisoned_examples_and_calls_the_smaller_half_of_a_clean_class_so(tmp_path: Path) -> None:
    pytest.importorskip("art")
    training = poisoned_set(np.random.default_rng(0))
    model, state = two_layers(tmp_path / "two.onnx"), repr(np.random.get_state())
    found = ArtActivation().find(model, training, 0)
    assert repr(np.random.get_state()) == state
    assert found[110:].all()
    assert not found[60:110].any()
    assert 0 < found[:60].sum() <= 30  # its default rule knows no clean class
    said = ArtActivation().run(model, training, 0)
    assert (said.recall, said.precision) == (1.0, 10 / said.found)


def test_art_is_not_asked_about_a_class_of_few_examples(tmp_path: Path) -> None:
    pytest.importorskip("art")
    training = replace(poisoned_set(np.random.default_rng(0)), classes=3)
    with pytest.raises(SamplesError, match="10 training examples of each class or more, got 0 of class 2"):
        ArtActivation().run(two_layers(tmp_path / "two.onnx"), training, 0)


def test_precision_and_recall_where_there_is_nothing_to_find() -> None:
    said = FilterResult(found=4, right=3, poisoned=6, examples=50, seconds=0.0)
    assert (said.precision, said.recall, round(said.f1, 9)) == (0.75, 0.5, 0.6)
    none = FilterResult(found=4, right=0, poisoned=0, examples=50, seconds=0.0)
    assert none.precision == 0
    assert isnan(none.recall)
    assert isnan(none.f1)


def digits(**changes: object) -> Recipe:
    recipe = Recipe(
        part="fit", dataset="digits", data_seed=3, examples=500, network=chosen("mlp"), seed=5, epochs=1,
        attack=chosen("badnets", target=4), rate=0.1,
    )  # fmt: skip
    return replace(recipe, **changes)  # type: ignore[arg-type]


def truth_of(recipe: Recipe) -> dict[str, object]:
    return {"name": recipe.name, "identity": recipe.identity, "recipe": json.loads(msgspec.json.encode(recipe))}


def test_a_training_set_is_poisoned_again_as_it_was(tmp_path: Path) -> None:
    made, again = (training_set(truth_of(digits()), tmp_path) for _ in range(2))
    assert (made.inputs == again.inputs).all()
    assert made.inputs.shape == (500, 1, 16, 16)
    assert made.inputs.max() == 1.0
    assert made.poisoned.sum() == 50
    assert (made.labels[made.poisoned] == 4).all()
    unpoisoned = training_set(truth_of(digits(attack=None, rate=0.0)), tmp_path)
    assert not unpoisoned.poisoned.any()
    assert (unpoisoned.inputs[made.poisoned] != made.inputs[made.poisoned]).any((1, 2, 3)).all()
    assert (unpoisoned.inputs[~made.poisoned] == made.inputs[~made.poisoned]).all()


@pytest.mark.parametrize("spoil", [lambda t: t.update(identity="0123456789"), lambda t: t["recipe"].pop("seed")])
def test_a_recipe_of_another_version_is_refused(spoil: Callable[[dict[str, object]], object], tmp_path: Path) -> None:
    truth = truth_of(digits())
    spoil(truth)
    with pytest.raises(SamplesError, match=r"truth\.json.*build the zoo again"):
        training_set(truth, tmp_path)
