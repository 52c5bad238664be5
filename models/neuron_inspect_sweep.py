"""NeuronInspect beside Neural Cleanse over size, place, number, translucency and pattern of a patch, as in its paper.

python -m onnxray.models.neuron_inspect_sweep --data FOLDER -o OUT [--set mnist] [--only WORD] [--markdown]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import rich_click as click
from rich.console import Console
from rich.table import Table

from ..scanner.cli.exit_codes import exits
from ..scanner.errors import OptionError
from .bench.work import work_off
from .markdown import table_head, table_row
from .patch_sweep import METHODS, Row, Said, Task, examine
from .patch_variants import SETS, variants

__all__ = ["HEAD", "SUMMARY", "cells", "ratio", "summary"]

USUAL = 2.0  # the anomaly index from which Neural Cleanse's paper calls a class flagged
_SAID = ("index", "p", "place")
HEAD = ("set", "network", "acc.", "ASR", *(c for name in METHODS for c in (f"{name} flags", *_SAID)), "times as long")
SUMMARY = (
    "set", "method", "trojaned", "target first", "target flagged", "target first, index > 2", "clean", "flagged",
    "index > 2", "s",
)  # fmt: skip


def cells(row: Row) -> list[str]:
    """A row of the table: rates in percent, the most extreme class's index and p, and the true target's place."""
    rates = (f"{100 * row.accuracy:.1f}", "-" if row.success is None else f"{100 * row.success:.1f}")
    said = [cell for name in METHODS for cell in _said(row.said[name], row.target)]
    weak = "" if row.took else " (did not take)"
    return [row.dataset, f"{row.name}{weak}", *rates, *said, f"{ratio([row]):.0f}"]


def _said(said: Said, target: int | None) -> tuple[str, str, str, str]:
    flagged = ("target" if c == target else str(c) for c in said.flagged)
    index = "-" if said.index is None else f"{said.index:.1f}"
    p = "-" if said.p is None else "< 0.001" if said.p < 0.001 else f"{said.p:.3f}"
    return ", ".join(flagged) or "-", index, p, str(said.place) if said.place else "-"


def ratio(rows: Sequence[Row]) -> float:
    """How many times as long as the first method the second takes, the median over the networks."""
    one, two = METHODS
    return median(row.said[two].seconds / max(row.said[one].seconds, 1e-9) for row in rows)


def summary(rows: Sequence[Row]) -> list[list[str]]:
    """What each method makes of each data set's networks; those whose attack did not take count nowhere but in time."""
    out = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        those = [row for row in rows if row.dataset == dataset]
        for name in METHODS:
            bad = [(row.said[name], row.target) for row in those if row.target is not None and row.took]
            good = [row.said[name] for row in those if row.target is None]
            counts = (
                len(bad),
                sum(s.place == 1 for s, _ in bad),
                sum(target in s.flagged for s, target in bad),
                sum(s.place == 1 and (s.index or 0) > USUAL for s, _ in bad),
                len(good),
                sum(bool(s.flagged) for s in good),
                sum((s.index or 0) > USUAL for s in good),
            )
            seconds = median(row.said[name].seconds for row in those)
            out.append([dataset, name, *map(str, counts), f"{seconds:.2f}"])
    return out


def _show(head: Sequence[str], body: Sequence[Sequence[str]], markdown: bool) -> None:
    if markdown:
        click.echo("\n".join([table_head(head), *map(table_row, body)]) + "\n")
        return
    table = Table(*head, title=None)
    for line in body:
        table.add_row(*line)
    Console(width=200).print(table)


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Networks, records.")
@click.option("--set", "sets", type=click.Choice(SETS), multiple=True, help="Only this data set; repeatable.")
@click.option("--only", default="", help="Only networks whose name contains this, e.g. 'alpha' or 'clean'.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Networks of each trigger.")
@click.option("--pictures", type=click.IntRange(min=20), default=100, show_default=True, help="Clean, for each method.")
@click.option("--table", is_flag=True, help="Train nothing: only the networks that OUT has records of.")
@click.option("--markdown", is_flag=True, help="Tables in Markdown.")
@click.pass_context
def main(
    context: click.Context, /, data: Path, out: Path, sets: tuple[str, ...], only: str, seeds: int, pictures: int,
    table: bool, markdown: bool,
) -> None:  # fmt: skip
    """Train, export and examine each network, and print both tables; what OUT has already is not made again."""
    with exits(context):
        chosen = [v for name in sets or SETS for v in variants(name, seeds) if only in v.name]
        if not chosen:
            raise OptionError(
                f"--only {only}: expected a part of a name like 'alpha 0.1' or 'clean 1', nothing fits it"
            )
        rows = []
        tasks = [Task(variant, out, data, pictures) for variant in chosen]
        tasks = [task for task in tasks if task.known or not table]
        for number, row in enumerate(work_off(tasks, examine, _lost, jobs=1), 1):
            click.echo(f"{number}/{len(tasks)} {' '.join(cells(row)) if row else 'another run is at it'}", err=True)
            rows += [row] if row else []
        if rows:
            _show(HEAD, [cells(row) for row in rows], markdown)
            _show(SUMMARY, summary(rows), markdown)
            one, two = METHODS
            click.echo(f"{two} takes {ratio(rows):.0f} times {one}'s processor time, median of {len(rows)} networks.")


def _lost(task: Task, why: str) -> None:
    click.echo(f"{task.variant.name}: {why}", err=True)


if __name__ == "__main__":
    main()
