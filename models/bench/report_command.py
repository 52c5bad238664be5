"""``onnxray bench report``: what the records of a benchmark come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from .benchmark import Benchmark
    from .scores import Scorer

__all__ = ["report"]

PARTS = ("fit", "calibrate", "test")
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--part", type=click.Choice(PARTS), default="test", show_default=True, help="Of the zoo.")
@click.option("--calibration", type=FILE, metavar="FILE", help="Score ours by this one; what is shipped if left out.")
@click.option("--markdown", is_flag=True, help="The tables as Markdown.")
@click.option("--no-plots", is_flag=True, help="Tables and JSON only; plots need matplotlib.")
def report(out: Path, part: str, calibration: Path | None, markdown: bool, no_plots: bool) -> None:
    """Show how often each scanner was right, from the records in OUT; nothing is scanned again.

    Writes OUT/benchmark.json and, as PNG and SVG, OUT/roc, samples, attacks and reliability.
    """
    from .record import write_json
    from .scores import load_records
    from .summary import summarise

    scorer, name = _scorer(calibration)
    found = summarise(load_records(out), part, scorer, name)
    write_json(found, out / "benchmark.json")
    _show(found, markdown)
    if not no_plots:
        _plot(found, out)


def _scorer(path: Path | None) -> tuple[Scorer | None, str]:
    return None, ""


def _show(found: Benchmark, markdown: bool) -> None:
    from rich.console import Console

    from .sheets import as_markdown, as_table, sheets

    console = Console(highlight=False, markup=False)
    for sheet in sheets(found):
        if markdown:
            click.echo(as_markdown(sheet))
        else:
            console.print(as_table(sheet))
            console.print()


def _plot(found: Benchmark, out: Path) -> None:
    from .plots import plot_all

    try:
        plot_all(found, out)
    except ImportError:
        click.echo("no plots, as matplotlib is not installed: pip install 'onnxray[bench]'", err=True)
