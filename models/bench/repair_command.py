"""``onnxray bench repair``: what every repair does to the true trigger of every trojaned model of a zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from .command import data_option, jobs_option, only_option, out_option, part_option, retry_option, zoo_argument

if TYPE_CHECKING:
    from .repairing import RepairRecord

__all__ = ["repair"]


@click.command()
@zoo_argument
@out_option
@data_option
@part_option
@click.option("--method", "wanted", metavar="ID", multiple=True, help="Only this, or auto, the product; repeatable.")
@only_option
@retry_option
@jobs_option
def repair(
    zoo: Path, out: Path, data: Path | None, parts: tuple[str, ...], wanted: tuple[str, ...], only: str, retry: bool,
    jobs: int,
) -> None:  # fmt: skip
    """Try every repair on every trojaned model of ZOO, and measure accuracy and the true trigger's success.

    A repair gets what a user has: clean pictures, and the triggers that a scan finds. What it does is measured in
    onnxruntime on pictures that neither has seen. Records go to OUT/repairs and are not made twice; ``onnxray bench
    report OUT`` shows what they come to.

    \b
    Examples:
      onnxray bench repair zoo -o results --data data --jobs 2
      onnxray bench repair zoo -o results --method auto --only '*-badnets-*'
    """
    from .repairing import repair_all, tasks
    from .subjects import placed

    todo = tasks(placed(zoo, parts, only), _methods(wanted), out, data)
    total = 0
    for number, records in enumerate(repair_all(todo, jobs, retry), 1):
        total += len(records)
        for record in records:
            click.echo(f"{number}/{len(todo)} {_told(record)}")
    click.echo(f"{total} records of {len({task.of.subject.name for task in todo})} trojaned models")


def _methods(wanted: Sequence[str]) -> tuple[str, ...]:
    from ...scanner.errors import OptionError
    from .repairing import AUTO, methods

    known = (AUTO, *methods())
    if unknown := [name for name in wanted if name not in known]:
        raise OptionError(f"--method {unknown[0]}: expected one of {', '.join(known)}")
    return tuple(name for name in known if not wanted or name in wanted)


def _told(record: RepairRecord) -> str:
    head = f"{record.part}/{record.name}, {record.method} with {record.samples} samples"
    if record.status != "done":
        return f"{head}: {record.status}: {record.note}"
    pairs = (record.accuracy_before, record.accuracy_after, record.attack_before, record.attack_after)
    one, two, three, four = (hits / max(1, trials) for hits, trials in pairs)
    return f"{head}: accuracy {one:.1%} to {two:.1%}, attack {three:.1%} to {four:.1%}, {record.seconds:.0f} s"
