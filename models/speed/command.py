"""``onnxray bench speed``: every timing of this tool beside what it replaces, as tables and as JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from .report import Report
    from .search import SearchRow

__all__ = ["speed"]

PARTS = ("norms", "stamp", "search")
PATH = click.Path(path_type=Path, exists=True)
COUNT = click.IntRange(min=1)


@click.command()
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, help="Measure only this; may be repeated.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where; a GPU if there is.")
@click.option("--model", type=PATH, metavar="FILE", help="Searched for triggers; the bundled trojaned one if left out.")
@click.option("--data", type=PATH, metavar="PATH", help="Its labelled pictures, as for a scan.")
@click.option("--pictures", type=click.IntRange(min=20), default=320, show_default=True, help="Of them, to turn.")
@click.option("--rounds", type=COUNT, default=15, show_default=True, help="Of the kernels' timings.")
@click.option("--search-rounds", type=COUNT, default=3, show_default=True, help="Of the searches.")
@click.option("--peer-classes", type=COUNT, default=10, show_default=True, help="Classes that the plain loop searches.")
@click.option("--steps", type=COUNT, help="Most steps of the search, for a quick look.")
@click.option("--epochs", type=COUNT, help="Most epochs of the plain loop, for a quick look.")
@click.option("--batch", type=COUNT, help="Samples in the kernels' tensors, for a quick look.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Of randomness and order.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="JSON goes here.")
@click.option("--debug", is_flag=True, help="Show a traceback for an unexpected error.")
@click.pass_context
def speed(
    context: click.RichContext, /, parts: tuple[str, ...], output: Path | None, debug: bool, **options: Any
) -> None:
    """Time the kernels and the trigger search beside what they replace: plain torch, and a loop over classes.

    Everything runs in this process, one thread on a CPU, and the variants take turns; what is shown are medians of the
    rounds' own ratios, so that a machine that is busy or slows down matters little.

    \b
    Examples:
      onnxray bench speed
      onnxray bench speed --part search --model model.onnx --data test.npz -o speed.json
    """
    from ...scanner.cli.exit_codes import DEBUG
    from ...scanner.errors import OptionError

    context.meta[DEBUG] = debug
    if (options["model"] is None) != (options["data"] is None):
        raise OptionError("--model and --data go together: the pictures must be those that the model is for")
    if output is not None and not output.parent.is_dir():
        raise OptionError(f"--output {output}: there is no folder {output.parent}")
    if output is not None and not os.access(output if output.exists() else output.parent, os.W_OK):
        raise OptionError(f"--output {output}: this user may not write it")
    options["device"] = _device(options["device"])
    report = _measured(parts or PARTS, options)
    _show(report)
    if output is not None:
        import msgspec

        output.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _device(wanted: str) -> str:
    import torch

    from ...scanner.errors import OptionError

    if wanted == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device cuda: this torch sees no CUDA device")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def _measured(parts: tuple[str, ...], options: dict[str, Any]) -> Report:
    import torch

    from . import norms, stamping
    from .machine import machine
    from .report import Report

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        device, usual = options["device"], {"rounds": options["rounds"], "seed": options["seed"]}
        batch = options["batch"]
        return Report(
            machine=machine(device),
            rounds=options["rounds"],
            search_rounds=options["search_rounds"],
            seed=options["seed"],
            norms=norms.measure(device, samples=batch, **usual) if "norms" in parts else [],
            stamp=stamping.measure(device, pictures=batch or 16, **usual) if "stamp" in parts else [],
            search=_search(options) if "search" in parts else None,
        )
    finally:
        torch.set_num_threads(threads)


def _search(options: dict[str, Any]) -> SearchRow:
    from dataclasses import replace

    from ..bundled_files import bundled
    from .peer_search import Loop
    from .question import question
    from .search import measure, usual_settings

    files = options["model"] or bundled("trojaned.onnx"), options["data"] or bundled("samples.npz")
    asked = question(*files, pictures=options["pictures"], device=options["device"], seed=options["seed"])
    settings = usual_settings(asked)
    return measure(
        asked,
        rounds=options["search_rounds"],
        loop_classes=options["peer_classes"],
        settings=replace(settings, steps=options["steps"] or settings.steps),
        loop=Loop(epochs=options["epochs"] or Loop.epochs),
        seed=options["seed"],
    )


def _show(report: Report) -> None:
    from rich.console import Console

    from .tables import tables

    console = Console(highlight=False, markup=False)
    for table in tables(report):
        console.print(table)
        console.print()
