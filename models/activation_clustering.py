"""Activation Clustering's own experiments on networks trained here, beside the paper's figures.

python -m onnxray.models.activation_clustering --data FOLDER [--only WORD] [--again]

MNIST with four inverted pixels in the lower right corner, in the paper's set-ups, and movie reviews with a word behind
them. Each poisoned set is clustered in the trained network's last hidden layer, as `onnxray scan --training-data` does,
and as raw pixels. LISA, the paper's third data set, is not at hand.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import rich_click as click
import torch
from numpy.typing import NDArray
from torch import nn

from ..converters import open_model
from ..scanner.activation_clusters import Clustered, Hidden, Pair, Suspicion, cluster, hidden
from ..scanner.cli.exit_codes import exits
from ..scanner.clusters import reclassified
from ..scanner.detectors import Budget
from ..scanner.detectors.activation_clustering import ActivationClustering
from ..scanner.training_data import TrainingSet
from .export import export
from .markdown import table_head, table_row
from .poisoned_sets import EXPERIMENTS, Experiment, PoisonedSet, poisoned_set
from .zoo.networks import Fits, make_network
from .zoo.training import Schedule, as_input, as_tensor, fit_network

__all__ = ["Measured", "export_network", "inputs_of", "measure", "trained", "training_set"]

_EPOCHS = 6


@dataclass(frozen=True, eq=False)
class Measured:
    """One experiment: rates in [0, 1]; accuracy and F1 are over all samples of the poisoned labels.

    Attributes:
        attack: of the trigger on test samples of the source classes; NaN for a clean set.
        clusters: (accuracy, F1) of the smaller cluster under ICA, which is the paper's method.
        flagged: the same of what the detector lists.
        raw: the same as ``clusters``, of raw inputs.
        silhouettes, ratios: of each label, under ICA; the ratio is that of the clusters that were kept.
        wrong: labels without poison that were flagged.
        again: as ``ratios``, of a new network that was trained without the cluster; empty unless asked for.
    """

    accuracy: float
    attack: float
    clusters: tuple[float, float]
    flagged: tuple[float, float]
    raw: tuple[float, float]
    silhouettes: Mapping[int, float] = field(default_factory=dict)
    ratios: Mapping[int, float] = field(default_factory=dict)
    wrong: tuple[int, ...] = ()
    again: Mapping[int, float] = field(default_factory=dict)


def measure(experiment: Experiment, folder: Path, seed: int = 0, again: bool = False) -> Measured:
    """Poison, train, export, and cluster with the exported file; and, if asked for, train again for each label."""
    data = poisoned_set(experiment, folder, seed)
    network = trained(data, seed)
    with tempfile.TemporaryDirectory(prefix="onnxray-") as place:
        path = Path(place) / "model.onnx"
        export_network(network, data, path)
        model = open_model(path)
        training = training_set(data)
        budget = Budget(seed=seed, training=training)
        (evidence,) = ActivationClustering().run(model, None, budget)
        seen = hidden(model, training, None, budget)
        attacked = model.predict(inputs_of(data.stamped)) == data.wanted if len(data.stamped) else np.empty(0)
        accuracy = float((model.predict(inputs_of(data.x_test)) == data.y_test).mean())
    raw = _raw(data, seed)
    by_ica = cluster(seen, data.y, Suspicion().components, ("ica",), budget)
    poisoned, ratios = np.unique(data.y[data.poison]).tolist(), evidence.details["exclusionary_reclassification"]
    return Measured(
        accuracy,
        float(attacked.mean()) if len(attacked) else float("nan"),
        _agreement(data, {label: by_ica.pairs[label].suspicious for label in poisoned}),
        _agreement(data, {p.target: p.positions for p in evidence.poisoned}),
        _agreement(data, {label: raw.pairs[label].suspicious for label in poisoned}),
        {label: pair.silhouette for label, pair in by_ica.pairs.items()},
        {label: inf if ratio is None else ratio for label, ratio in ratios.items()} if isinstance(ratios, dict) else {},
        tuple(label for label in evidence.flagged if label not in poisoned),
        {label: _again(data, pair, seed + 1) for label, pair in by_ica.pairs.items()} if again else {},
    )


def training_set(data: PoisonedSet) -> TrainingSet:
    """The set as a scan gets it."""
    if data.vocabulary:
        return TrainingSet(data.y, lambda index: data.x[index])

    def pictures(index: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.asarray(inputs_of(data.x[index]), np.float32)

    return TrainingSet(data.y, pictures, pictures, lambda images: images)


def trained(data: PoisonedSet, seed: int) -> nn.Module:
    """A small network that has learnt the set."""
    classes = int(data.y.max()) + 1
    if data.vocabulary:
        network, rate = make_network("text-cnn", {}, Fits((data.x.shape[1],), classes, data.vocabulary), seed)
        fit_network(network, data.x, data.y, Schedule(peak_rate=rate, seed=seed, epochs=_EPOCHS + 2))
        return network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * 49, 128), nn.ReLU(), nn.Linear(128, classes),
        )  # fmt: skip
    fit_network(network, data.x[..., None], data.y, Schedule(peak_rate=2e-3, seed=seed, epochs=_EPOCHS))
    return network


def _again(data: PoisonedSet, pair: Pair, seed: int) -> float:
    """The paper's own exclusionary reclassification: l / p of a new network that never saw the smaller cluster."""
    kept = np.setdiff1d(np.arange(len(data.y)), pair.suspicious)
    network = trained(replace(data, x=data.x[kept], y=data.y[kept]), seed)
    with torch.no_grad():
        given = network(torch.from_numpy(inputs_of(data.x[pair.suspicious]))).argmax(1).numpy()
    return reclassified(given, pair.label).ratio


def export_network(network: nn.Module, data: PoisonedSet, path: Path) -> None:
    """Write it as an ONNX file with a free batch axis."""
    if not data.vocabulary:
        export(network, path, (1, *data.x.shape[1:]))
        return
    torch.onnx.export(
        network.eval(), (torch.zeros(1, data.x.shape[1], dtype=torch.int64),), path, dynamo=False, opset_version=17,
        input_names=["tokens"], output_names=["scores"], dynamic_axes={"tokens": {0: "n"}, "scores": {0: "n"}},
    )  # fmt: skip


def inputs_of(x: NDArray[Any]) -> NDArray[Any]:
    """Digits as (N, 1, H, W) float32 in [0, 1]; token ids as they are."""
    return as_input(as_tensor(x[..., None])).numpy() if x.dtype == np.uint8 else x


def _raw(data: PoisonedSet, seed: int) -> Clustered:
    """The raw inputs in place of activations."""
    rows = np.asarray(data.x.reshape(len(data.x), -1) / (255 if data.x.dtype == np.uint8 else 1), np.float32)
    nothing = Hidden(rows, data.y, np.zeros((0, 1), np.float32), np.empty(0, np.int64))
    return cluster(nothing, data.y, Suspicion().components, ("ica",), Budget(seed=seed))


def _agreement(data: PoisonedSet, called_poison: Mapping[int, NDArray[np.int64]]) -> tuple[float, float]:
    """Accuracy and F1 of calling these positions poison, over the poisoned labels' samples."""
    called = np.zeros(len(data.y), bool)
    for positions in called_poison.values():
        called[positions] = True
    within = np.isin(data.y, np.unique(data.y[data.poison]))
    right, both = (called == data.poison)[within], (called & data.poison).sum()
    total = called[within].sum() + data.poison.sum()
    return (float(right.mean()) if within.any() else float("nan"), float(2 * both / total) if total else float("nan"))


def _cells(name: str, experiment: Experiment, row: Measured) -> list[str]:
    pairs = (f"{100 * a:.1f} / {100 * b:.1f}" if a == a else "-" for a, b in (row.clusters, row.flagged, row.raw))
    rates = (f"{100 * rate:.1f}" if rate == rate else "-" for rate in (row.accuracy, row.attack))
    return [name, *rates, *pairs, experiment.paper or "-", ", ".join(map(str, row.wrong)) or "none"]


def _per_class(rows: Mapping[str, Measured]) -> Iterator[str]:
    for name, row in rows.items():
        silhouettes = " ".join(f"{value:.2f}" for value in row.silhouettes.values())
        ratios = " ".join(f"{value:.2f}" for value in row.ratios.values())
        again = " ".join(f"{value:.2f}" for value in row.again.values())
        more = f"; of a new network {again}" if again else ""
        yield f"{name}: labels {' '.join(map(str, row.ratios))}; silhouette {silhouettes}; l / p {ratios}{more}"


_HEAD = ["set", "clean acc.", "ASR", "smaller cluster, ICA", "listed", "raw inputs", "paper", "wrongly flagged"]


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--only", default="", help="Only experiments whose name contains this.")
@click.option("--seed", default=0, show_default=True)
@click.option("--again", is_flag=True, help="Also train a new network without each label's smaller cluster.")
@click.pass_context
def main(context: click.Context, /, data: Path, only: str, seed: int, again: bool) -> None:
    """Poison, train and cluster; print accuracy / F1 in percent as Markdown, then both analyses of each label."""
    with exits(context):
        rows = {}
        click.echo(table_head(_HEAD))
        for name, experiment in EXPERIMENTS.items():
            if only in name:
                rows[name] = measure(experiment, data, seed, again)
                click.echo(table_row(_cells(name, experiment, rows[name])))
        click.echo("\n".join(["", *_per_class(rows)]))


if __name__ == "__main__":
    main()
