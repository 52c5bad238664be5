"""Repairs that need no trigger, on a zoo's trojaned models: the true trigger's success after, and the time they take.

python -m onnxray.models.repairs_without_trigger ZOO [--data FOLDER] [--part NAME] [--only PATTERN] [--method ID]

No scan is made and no repair gets a trigger. Times are multiples of what few-samples takes on the same model in the
same run; accuracy and the attacker's own trigger are measured in onnxruntime on pictures that no repair has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import rich_click as click

from ..converters.messages import one_line
from ..scanner.cli.exit_codes import exits
from ..scanner.errors import OnnxrayError, OptionError
from ..scanner.findings import Rate
from ..scanner.repairs import Repair
from .bench.command import data_option, only_option, zoo_argument
from .bench.repair_cases import WORK, make_case, parted
from .bench.repairing import methods as known_methods
from .bench.subjects import Placed, placed
from .bench.trials import Trial, trials
from .markdown import table_head, table_row

__all__ = ["rows"]

METHODS = ("few-samples", "fine-prune", "anp", "i-bau")
_HEAD = ("model", "method", "accuracy", "true ASR", "time", "what was done")


def rows(of: Placed, methods: tuple[str, ...], data: Path | None, seed: int = 0) -> Iterator[tuple[str, ...]]:
    """The cells of the table for one model, a row a method; see ``_HEAD``.

    Raises:
        OnnxrayError: the model cannot be read, or there is no such method.
    """
    known = _known(methods)
    case = make_case(of, parted(of, WORK, data))
    case.bench().twin_problem(case.model)  # builds the twin, which no method's time shall contain
    before, *tried = trials(case, {name: known[name] for name in methods}, seed, scan=False)
    unit = next((trial.seconds for trial in tried if trial.method == "few-samples"), 0.0)
    for trial in tried:
        ratio = f"{trial.seconds / unit:.1f}" if unit else "-"
        yield of.subject.name, trial.method, *_rates(before, trial), ratio, trial.note


def _known(names: tuple[str, ...]) -> dict[str, Repair]:
    known = known_methods()
    if unknown := [name for name in names if name not in known]:
        raise OptionError(f"--method {unknown[0]}: expected one of {', '.join(known)}")
    return known


def _rates(before: Trial, after: Trial) -> tuple[str, str]:
    pairs = ((before.accuracy, after.accuracy), (before.attack, after.attack))
    accuracy, attack = (f"{_percent(one)} → {_percent(two)}" for one, two in pairs)
    return accuracy, attack


def _percent(rate: Rate | None) -> str:
    return "-" if rate is None else f"{rate.value:.1%}"


@click.command()
@zoo_argument
@data_option
@click.option("--part", default="calibrate", show_default=True, help="Part of the zoo.")
@only_option
@click.option("--method", "methods", multiple=True, default=METHODS, show_default=True, help="Repair; repeatable.")
@click.pass_context
def main(
    context: click.Context, /, zoo: Path, data: Path | None, part: str, only: str, methods: tuple[str, ...]
) -> None:
    """Try repairs without a trigger on the trojaned models of ZOO, and print a table in Markdown."""
    with exits(context):
        _known(methods)
        found = [of for of in placed(zoo, (part,), only) if of.subject.trojaned]
        click.echo(table_head(_HEAD))
        for of in found:
            try:
                for cells in rows(of, methods, data):
                    click.echo(table_row(cells))
            except OnnxrayError as error:  # a model of text, for example; the others go on
                click.echo(table_row((of.subject.name, *["-"] * (len(_HEAD) - 2), one_line(error, 200))))


if __name__ == "__main__":
    main()
