"""Train networks with patches that differ in one thing, and ask NeuronInspect and Neural Cleanse about each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np

from ..converters import Model, open_model
from ..scanner.detectors import Budget, Detector
from ..scanner.detectors.neural_cleanse import NeuralCleanse
from ..scanner.detectors.neuron_inspect import NeuronInspect
from ..scanner.domain import InputDomain
from ..scanner.errors import SamplesError
from ..scanner.samples import Samples
from ..scanner.version import __version__
from .bench.record import read_json, write_json
from .bench.work import claimed
from .patch_variants import Variant
from .suspects import rank_of
from .zoo.build import Workshop, build, finished, truth_of

__all__ = ["METHODS", "Row", "Said", "Task", "examine"]

METHODS: dict[str, Detector] = {
    "neuron-inspect": NeuronInspect(),
    "neural-cleanse": NeuralCleanse(rounds=0),  # further triggers of a class that is found are not in the paper's time
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a method says of a network.

    Attributes:
        flagged: classes, by the method's own cut.
        index: the anomaly index of the most extreme class; None where it is undefined.
        p: the chance that a clean network's most extreme class has such an index.
        place: of the true target, the most suspicious first, from 1 on; 0 where there is no target.
        seconds: of processor time, on one thread.
    """

    flagged: tuple[int, ...]
    index: float | None
    p: float | None
    place: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network: accuracy and attack success in onnxruntime, and what the methods say of it.

    Attributes:
        target: None for a clean network, whose ``success`` is None too.
        took: whether the attack works; true for a clean network.
        options: this tool's version and how many pictures the methods got: a record of others is out of date.
    """

    dataset: str
    name: str
    target: int | None
    accuracy: float
    success: float | None
    took: bool
    said: dict[str, Said]
    options: str


@dataclass(frozen=True)
class Task:
    """A network to train and examine, and where."""

    variant: Variant
    out: Path
    data: Path
    pictures: int

    @property
    def path(self) -> Path:
        """Of the record."""
        return self.out / "records" / f"{self.variant.recipe.name}.json"

    @property
    def options(self) -> str:
        """See ``Row``."""
        return f"onnxray {__version__}, {self.pictures} pictures"

    @property
    def known(self) -> Row | None:
        """The record, if there is one and nothing was set otherwise."""
        row = read_json(self.path, Row) if self.path.is_file() else None
        return row if row and row.options == self.options else None


def examine(task: Task) -> Row | None:
    """The record of a network, which is trained, exported and examined where that has not been done yet.

    None where another run is at it.

    Raises:
        SamplesError: its data set is not there, or what lies there is no record.
    """
    with claimed(task.path) as mine:
        if not mine:
            return None
        if known := task.known:
            return known
        (outcome,) = build([task.variant.recipe], Workshop(task.out / "models", task.data))
        place = finished(task.out / "models", task.variant.recipe)
        if place is None:
            raise SamplesError(outcome.message)
        row = _examined(task, place)
        write_json(row, task.path)
        return row


def _examined(task: Task, place: Path) -> Row:
    truth, target = truth_of(place), task.variant.target
    model, samples = open_model(place / "model.onnx"), _samples(place, task.pictures)
    model.build_twin(samples.inputs()[:16])  # so that neither method pays for it
    success = truth["attack_success"]
    return Row(
        dataset=task.variant.recipe.dataset,
        name=task.variant.name,
        target=target,
        accuracy=truth["clean_accuracy"]["value"],
        success=success and success["value"],
        took=truth["took"],
        said={name: _asked(method, model, samples, target) for name, method in METHODS.items()},
        options=task.options,
    )


def _samples(place: Path, pictures: int) -> Samples:
    """Clean test pictures that lie beside the network, the same for both methods."""
    with np.load(place / "samples.npz") as file:
        x, y = file["x"], file["y"]
    images = (x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)
    return Samples(images, y, InputDomain("[0, 1]", "NCHW", *images.shape[1:])).draw(pictures, 0)


def _asked(method: Detector, model: Model, samples: Samples, target: int | None) -> Said:
    started = process_time()
    (evidence,) = method.run(model, samples, Budget())
    seconds = process_time() - started
    told = evidence.details["anomaly_index"]
    index = [v for v in told if v is not None] if isinstance(told, list) else []
    return Said(
        flagged=evidence.flagged,
        index=max(index, default=None),
        p=evidence.p_value,
        place=rank_of(evidence, target),
        seconds=seconds,
    )
