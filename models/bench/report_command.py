"""``onnxray bench report``: what the records of a benchmark come to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from .benchmark import Benchmark
    from .scores import Scorer
    from .sheets import Sheet

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
    """Show what the records in OUT come to, of scanners, repairs and filters; nothing is made again.

    Writes OUT/benchmark.json and, as PNG and SVG, OUT/roc, samples, attacks and reliability; OUT/repair.json and
    OUT/filters.json.
    """
    from .filter_summary import filter_sheets, load_filters, summarise_filters
    from .record import write_json
    from .repair_summary import load_repairs, repair_sheets, summarise_repairs
    from .scores import load_records
    from .sheets import sheets
    from .summary import summarise

    repairs, filtered = load_repairs(out, part), load_filters(out, part)
    records = load_records(out) if not (repairs or filtered) or (out / "records").is_dir() else []
    if records:
        found = summarise(records, part, *_scorer(calibration))
        write_json(found, out / "benchmark.json")
        _show(sheets(found), markdown)
        if not no_plots:
            _plot(found, out)
    if repairs:
        repaired = summarise_repairs(repairs, part)
        write_json(repaired, out / "repair.json")
        _show(repair_sheets(repaired), markdown)
    if filtered:
        told = summarise_filters(filtered, part)
        write_json(told, out / "filters.json")
        _show(filter_sheets(told), markdown)


def _scorer(path: Path | None) -> tuple[Scorer | None, str]:
    from ...scanner.calibration import Calibration, shipped
    from ...scanner.version import __version__

    if path is not None:
        return Calibration.load(path), path.name
    return shipped(), f"shipped with {__version__}"


def _show(tables: Iterable[Sheet], markdown: bool) -> None:
    from rich.console import Console

    from .sheets import as_markdown, as_table

    console = Console(highlight=False, markup=False)
    for sheet in tables:
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
