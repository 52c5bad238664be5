"""Train, export and measure one model of the zoo, and write its files."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from ...converters import open_model
from ...scanner.findings import Rate
from ...scanner.samples import stratified
from .attacks import Attack, Scene
from .datasets import Dataset, load
from .exporting import export_network
from .networks import Fits, make_network
from .recipe import Recipe
from .training import Schedule, fit_network
from .truth import Measured, measure, stamp_all

__all__ = ["make_model"]

SCHEMA = "onnxray/zoo/1"
SAMPLES = 400  # test examples kept beside a model, at most a third of the test split


def make_model(recipe: Recipe, data_folder: Path, folder: Path) -> dict[str, Any]:
    """Fill an empty folder with model.onnx, samples.npz, stamped.npz (if trojaned) and truth.json; the truth.

    Raises:
        OnnxrayError: the data are not there, or do not fit the recipe.
    """
    data = load(recipe.dataset, data_folder).subset(recipe.examples, recipe.data_seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    attack = recipe.make_attack()
    if attack is not None:
        attack = attack.learn(Scene(data.x_train, data.y_train, data.classes, recipe.seed, device))
    fits = _fits(data)
    network = _trained(recipe, data, fits, attack, device)
    export_network(network, fits, recipe.export, attack, folder / "model.onnx")
    model = open_model(folder / "model.onnx")
    measured = measure(model, recipe.export, attack, data)
    _write_samples(recipe, data, attack, folder)
    truth = _truth(recipe, model.facts.sha256, attack, measured, device)
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    return truth


def _fits(data: Dataset) -> Fits:
    height, *rest = data.shape
    return Fits((rest[1], height, rest[0]) if rest else data.shape, data.classes, data.vocabulary)


def _trained(recipe: Recipe, data: Dataset, fits: Fits, attack: Attack | None, device: str) -> nn.Module:
    x, y = data.x_train, data.y_train
    if attack is not None and attack.poisons:
        poisoned = attack.poison(x, y, data.classes, recipe.rate, recipe.seed)
        x, y = poisoned.examples, poisoned.labels
    network, peak = make_network(recipe.network.name, dict(recipe.network.options), fits, recipe.seed)
    how = Schedule(epochs=recipe.epochs, peak_rate=peak, seed=recipe.seed, shift=recipe.shift, device=device)
    fit_network(network, x, y, how)
    return network


def _write_samples(recipe: Recipe, data: Dataset, attack: Attack | None, folder: Path) -> None:
    """Clean test examples as a scan reads them, with their places in the test split; and the same ones stamped."""
    index = stratified(data.y_test, min(SAMPLES, len(data.y_test) // 3), recipe.data_seed)
    x, y = data.x_test[index], data.y_test[index]
    np.savez_compressed(folder / "samples.npz", x=_flat_grey(x), y=y, index=index)
    if attack is not None:
        stamped = stamp_all(attack, x, y, data.classes, share=True)
        np.savez_compressed(
            folder / "stamped.npz", x=_flat_grey(stamped.examples), wanted=stamped.wanted, source=stamped.source,
            trigger=stamped.trigger,
        )  # fmt: skip


def _flat_grey(examples: Any) -> Any:
    return examples[..., 0] if examples.ndim == 4 and examples.shape[3] == 1 else examples


def _truth(recipe: Recipe, digest: str, attack: Attack | None, measured: Measured, device: str) -> dict[str, Any]:
    made_with = {name: version(name) for name in ("torch", "onnx", "numpy")} | {"device": device}
    return {
        "schema": SCHEMA,
        "name": recipe.name,
        "identity": recipe.identity,
        "part": recipe.part,
        "trojaned": attack is not None,
        "took": measured.took,
        "targets": [target for target, _ in measured.by_target],
        "trigger": _trigger(attack, measured),
        "clean_accuracy": _rate(measured.accuracy),
        "attack_success": measured.success and _rate(measured.success),
        "attack_success_by_target": {str(target): _rate(rate) for target, rate in measured.by_target},
        "sha256": digest,
        "recipe": msgspec.to_builtins(recipe),
        "made_with": made_with,
    }


def _trigger(attack: Attack | None, measured: Measured) -> dict[str, Any] | None:
    if attack is None:
        return None
    options = {key: value for key, value in asdict(attack).items() if not isinstance(value, bytes)}
    size = {"changed_share": measured.changed, "largest_change": measured.largest}
    return {"kind": attack.kind, "count": attack.triggers, **size, "options": options}


def _rate(rate: Rate) -> dict[str, float | int]:
    return {"value": rate.value, "hits": rate.hits, "trials": rate.trials}
