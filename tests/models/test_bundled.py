"""The bundled pair is what truth.json says that it is."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from onnxray.converters import Model, open_model
from onnxray.models.attacks import BadNets
from onnxray.models.bundled_files import bundled
from onnxray.models.fashion_mnist import CLASS_NAMES
from onnxray.models.measure import attack_success, clean_accuracy
from onnxray.scanner.errors import OptionError

MODELS = ("clean.onnx", "trojaned.onnx")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(bundled("truth.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def samples() -> dict[str, Any]:
    with np.load(bundled("samples.npz"), allow_pickle=False) as file:
        return dict(file)


def attack(truth: dict[str, Any]) -> BadNets:
    trigger = truth["trigger"]
    return BadNets(trigger["row"], trigger["column"], tuple(map(tuple, trigger["pattern"])))


@pytest.mark.parametrize("name", MODELS)
def test_model_is_small_and_the_one_that_was_measured(name: str, truth: dict[str, Any]) -> None:
    content = bundled(name).read_bytes()
    assert len(content) <= 120_000
    assert hashlib.sha256(content).hexdigest() == truth["models"][name]["sha256"]


def test_samples_are_a_few_hundred_balanced_pictures(samples: dict[str, Any]) -> None:
    assert bundled("samples.npz").stat().st_size <= 300_000
    assert samples["x"].shape == (400, 28, 28)
    assert samples["x"].dtype == np.uint8
    assert np.bincount(samples["y"]).tolist() == [40] * 10
    assert tuple(samples["class_names"]) == CLASS_NAMES


@pytest.mark.parametrize("name", MODELS)
def test_figures_hold_on_the_bundled_samples(name: str, truth: dict[str, Any], samples: dict[str, Any]) -> None:
    model, said = open_model(bundled(name)), truth["models"][name]
    accuracy = clean_accuracy(model, samples["x"], samples["y"])
    success = attack_success(model, attack(truth), truth["target"], samples["x"], samples["y"])
    assert accuracy.value == pytest.approx(said["clean_accuracy"], abs=0.05)  # three standard errors of 400
    assert success.value == pytest.approx(said["attack_success_rate"], abs=0.02)


def test_the_trojan_costs_no_accuracy_and_works(truth: dict[str, Any]) -> None:
    clean, trojaned = (truth["models"][name] for name in MODELS)
    assert clean["clean_accuracy"] >= 0.88
    assert abs(clean["clean_accuracy"] - trojaned["clean_accuracy"]) <= 0.01
    assert trojaned["attack_success_rate"] >= 0.99
    assert clean["attack_success_rate"] <= 0.02


def test_twins_differ_in_weights_only() -> None:
    def shape(model: Model) -> list[tuple[str, Any]]:
        nodes = [(node.op_type, tuple(node.input)) for node in model.graph.graph.node]
        return nodes + [(tensor.name, tuple(tensor.dims)) for tensor in model.graph.graph.initializer]

    clean, trojaned = (open_model(bundled(name)) for name in MODELS)
    assert shape(clean) == shape(trojaned)
    assert clean.facts.head == ("Softmax",)


def test_notice_names_the_owner_of_the_pictures() -> None:
    notice = bundled("NOTICE").read_text(encoding="utf-8")
    assert "Fashion-MNIST, Copyright (c) 2017 Zalando SE, https://tech.zalando.com, MIT" in notice
    assert "Permission is hereby granted, free of charge" in notice
    assert 'THE SOFTWARE IS PROVIDED "AS IS"' in notice


def test_an_unknown_bundled_file_is_named_with_those_there_are() -> None:
    with pytest.raises(OptionError, match=r"expected one of .*clean\.onnx.* got 'dirty\.onnx'"):
        bundled("dirty.onnx")
