"""Every repair on models whose true trigger is known: clean accuracy and attack success before and after.

python -m onnxray.models.repairs [--suspects FOLDER --data FOLDER] [--method ID ...] [--only WORD]

The bundled trojaned model, and of a folder of third-party models those in ``TRIGGERS``. The repairs get what a user
has: clean pictures, and the triggers that a scan finds. What they do is measured on other pictures, under the true
trigger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
import rich_click as click
from rich.console import Console
from rich.table import Table

from ..converters import open_model
from ..scanner.cli.exit_codes import exits
from ..scanner.domain_search import find_domain
from ..scanner.errors import OptionError
from ..scanner.images import load_images
from ..scanner.registry import plugins
from ..scanner.repairs import Repair
from ..scanner.samples import stratified
from ..scanner.triggers import Trigger
from .bench.trials import Case, trials
from .bundled_files import bundled
from .markdown import table_head, table_row

__all__ = ["TRIGGERS", "Patch", "Row", "Subject", "measure", "subjects"]

_PICTURES = 2400  # read of each data set
_WORK = 400  # at most, of them, for scan and repair; at most half


@dataclass(frozen=True)
class Patch:
    """A trigger as its makers describe it: grey values in [0, 1] from a row and column on; NaN leaves a pixel alone."""

    target: int
    row: int
    column: int
    values: tuple[tuple[float, ...], ...]

    def trigger(self, channels: int, height: int, width: int) -> Trigger:
        """The same as mask and pattern."""
        mask, pattern = np.zeros((height, width), np.float32), np.zeros((channels, height, width), np.float32)
        values = np.asarray(self.values, np.float32)
        place = np.s_[self.row : self.row + values.shape[0], self.column : self.column + values.shape[1]]
        mask[place], pattern[(slice(None), *place)] = ~np.isnan(values), np.nan_to_num(values)
        return Trigger(self.target, mask, pattern)


def _square(target: int, row: int, column: int, size: int, value: float = 1.0) -> Patch:
    return Patch(target, row, column, ((value,) * size,) * size)


_SIX_PIXELS = ((nan, nan, 1, nan, 1), (nan, nan, nan, 1, nan), (1, nan, 1, nan, 1))
TRIGGERS = {
    "shihaozhao_mnist_badnet": ("mnist", _square(0, 25, 25, 2)),
    "smu_mnist_mlp_badnet_w1": ("mnist", _square(5, 0, 0, 3)),
    "zkp_mnist_backdoor_cnn": ("mnist", _square(0, 25, 25, 3, 0.4388)),
    "nad_cifar10_wrn16_student_backdoored_t5": ("cifar10", Patch(5, 29, 29, ((0, 0, 1), (0, 1, 0), (1, 0, 1)))),
    "dillonsd_mnist_tflite_badnets_trigger_all_to_one_quantized": ("mnist", Patch(0, 25, 23, _SIX_PIXELS)),
    "dillonsd_mnist_badnets_single_pixel_all_to_one": ("mnist", _square(0, 27, 27, 1)),
}
"""File name without its suffix -> data set and trigger, from the folder's manifest and the makers' code."""


@dataclass(frozen=True)
class Subject:
    """A trojaned model, clean pictures for it, and its true trigger."""

    name: str
    path: Path
    data: Path
    patch: Patch


@dataclass(frozen=True)
class Row:
    """What one method did to one model; rates in [0, 1], None where it was not run.

    Attributes:
        method: "" for the model as it was.
        note: what was done, or why nothing was.
        accuracy: on pictures that neither scan nor repair has seen.
        attack: of the true trigger, on those of other classes.
        reversed_attack: of the most successful trigger that the scan had found; None where it found none.
        seconds: of the repair alone.
    """

    model: str
    method: str
    note: str
    accuracy: float | None = None
    attack: float | None = None
    reversed_attack: float | None = None
    seconds: float = 0.0


def subjects(suspects: Path | None, data: Path | None) -> Iterator[Subject]:
    """The bundled model, and those of the folder that are known and whose data set is at hand."""
    truth = json.loads(bundled("truth.json").read_text(encoding="utf-8"))
    values = tuple(tuple(value / 255 for value in row) for row in truth["trigger"]["pattern"])
    patch = Patch(truth["target"], truth["trigger"]["row"], truth["trigger"]["column"], values)
    yield Subject("bundled trojaned", bundled("trojaned.onnx"), bundled("samples.npz"), patch)
    for name, (set_name, known) in TRIGGERS.items():
        if suspects is None or data is None:
            return
        path, pictures = suspects / f"{name}.onnx", data / f"{set_name}.npz"
        if path.is_file() and pictures.is_file():
            yield Subject(name, path, pictures, known)


def measure(subject: Subject, methods: Sequence[str], seed: int = 0) -> Iterator[Row]:
    """The model as it was, then after each method, which always starts from the original."""
    known = plugins("onnxray.scanner.repairs", Repair)  # type: ignore[type-abstract]
    for trial in trials(_case(subject, seed), {name: known[name]() for name in methods}, seed):
        accuracy, attack = (None if rate is None else rate.value for rate in (trial.accuracy, trial.attack))
        yield Row(subject.name, trial.method, trial.note, accuracy, attack, trial.reversed_attack, trial.seconds)


def _case(subject: Subject, seed: int) -> Case:
    model = open_model(subject.path)
    _, samples = find_domain(model, load_images(subject.data, limit=_PICTURES, seed=seed), seed=seed)
    chosen = stratified(samples.labels, min(_WORK, len(samples) // 2), seed)
    test = samples.take(np.setdiff1d(np.arange(len(samples)), chosen))
    trigger = subject.patch.trigger(*samples.images.shape[1:])
    others = test.outside([trigger.target])
    stamped = np.ascontiguousarray(others.domain.to_input(trigger.stamp(others.images)), np.float32)
    wanted = np.full(len(others), trigger.target, np.int64)
    return Case(subject.name, model, samples.take(chosen), test, test, stamped, wanted)


def _cells(row: Row) -> tuple[str, ...]:
    rates = ("-" if rate is None else f"{rate:.1%}" for rate in (row.accuracy, row.attack, row.reversed_attack))
    return (row.model, row.method or "as it was", *rates, f"{row.seconds:.1f}" if row.method else "", row.note)


_HEAD = ("model", "method", "accuracy", "true ASR", "reversed ASR", "s", "what was done")


@click.command()
@click.option(
    "--suspects", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of .onnx files."
)
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of .npz data sets.")
@click.option("--method", "methods", multiple=True, help="Repair to run, may be repeated; all if left out.")
@click.option("--only", default="", help="Only models whose name contains this.")
@click.option("--seed", default=0, show_default=True)
@click.option("--markdown", is_flag=True, help="The table as Markdown, for the documentation.")
@click.pass_context
def main(
    context: click.Context, /, suspects: Path | None, data: Path | None, methods: tuple[str, ...], only: str, seed: int,
    markdown: bool,
) -> None:  # fmt: skip
    """Run every repair on every model whose true trigger is known, and print accuracy and attack success."""
    with exits(context):
        known = plugins("onnxray.scanner.repairs", Repair)  # type: ignore[type-abstract]
        chosen = methods or sorted(known, key=lambda name: known[name].rank)
        if unknown := [name for name in chosen if name not in known]:
            raise OptionError(f"--method {unknown[0]}: expected one of {', '.join(sorted(known))}")
        found = [s for s in subjects(suspects, data) if only in s.name]
        _show([row for subject in found for row in measure(subject, chosen, seed)], markdown)


def _show(rows: Sequence[Row], markdown: bool) -> None:
    if markdown:
        click.echo("\n".join([table_head(_HEAD), *(table_row(_cells(row)) for row in rows)]))
        return
    table = Table(*_HEAD)
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
