"""The repair by relabelling on poisoned digits: error on stamped pictures before and after, and against training anew.

python -m onnxray.models.relabel_experiment --data FOLDER [--only WORD]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import rich_click as click
from numpy.typing import NDArray

from ..converters import Model, open_model
from ..converters.edited import run_edited
from ..converters.runtime import Session
from ..scanner.detectors import Budget
from ..scanner.domain import InputDomain
from ..scanner.repairs.relabel import Relabel
from ..scanner.samples import Samples
from .activation_clustering import export_network, inputs_of, trained, training_set
from .markdown import table_head, table_row
from .poisoned_sets import EXPERIMENTS, PoisonedSet, poisoned_set

__all__ = ["measure"]

_WORK = 500  # clean test samples that the repair may look at; the others judge


def measure(data: PoisonedSet, true: NDArray[np.int64], seed: int) -> tuple[list[float], str]:
    """Clean error, and error and attack success on stamped test pictures, before and after; and what was done.

    Args:
        true: the stamped pictures' true labels.
    """
    with tempfile.TemporaryDirectory(prefix="onnxray-") as folder:
        path = Path(folder) / "model.onnx"
        export_network(trained(data, seed), data, path)
        model = open_model(path)
        work = Samples(inputs_of(data.x_test[:_WORK]), data.y_test[:_WORK], InputDomain("[0, 1]", "NCHW", 1, 28, 28))
        model.build_twin(work.inputs()[:48])
        repaired = Relabel().run(model, work, (), Budget(seed=seed, training=training_set(data)))
        figures = [_figures(runner, data, true) for runner in (model, run_edited(model, repaired.edits))]
    done = f"{repaired.details['epochs']} epochs, {repaired.details['samples']} samples relabelled"
    return [value for pair in zip(*figures, strict=True) for value in pair], done


def _figures(runner: Model | Session, data: PoisonedSet, true: NDArray[np.int64]) -> tuple[float, float, float]:
    clean = runner.run(inputs_of(data.x_test[_WORK:])).argmax(1)
    stamped = runner.run(inputs_of(data.stamped)).argmax(1)
    return (
        float((clean != data.y_test[_WORK:]).mean()),
        float((stamped != true).mean()),
        float((stamped == data.wanted).mean()),
    )


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--only", default="33 %", show_default=True, help="Only experiments whose name contains this.")
@click.option("--seed", default=0, show_default=True)
def main(data: Path, only: str, seed: int) -> None:
    """Print a table in Markdown, in percent, before and after."""
    click.echo(table_head(("set", "clean error", "error, stamped", "ASR", "what was done")))
    for name, experiment in EXPERIMENTS.items():
        if only in name and experiment.moves and not experiment.text:
            found = poisoned_set(experiment, data, seed)
            (a, b, c, d, e, f), done = measure(found, found.true, seed)
            rates = (f"{100 * one:.1f} → {100 * two:.1f}" for one, two in ((a, b), (c, d), (e, f)))
            click.echo(table_row((name, *rates, done)))


if __name__ == "__main__":
    main()
