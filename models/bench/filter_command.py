"""``onnxray bench filters``: who finds the poisoned examples in the training sets of a zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from .command import FOLDER, jobs_option, only_option, out_option, part_option, retry_option, zoo_argument

if TYPE_CHECKING:
    from .filtering import FilterRecord

__all__ = ["filters"]


@click.command()
@zoo_argument
@out_option
@click.option("--data", type=FOLDER, metavar="DIR", required=True, help="Folder with mnist.npz, cifar10.npz, ...")
@part_option
@click.option("--filter", "wanted", metavar="ID", multiple=True, help="Only this one, or onnxray; repeatable.")
@only_option
@retry_option
@jobs_option
def filters(
    zoo: Path, out: Path, data: Path, parts: tuple[str, ...], wanted: tuple[str, ...], only: str, retry: bool,
    jobs: int,
) -> None:  # fmt: skip
    """Ask for the poisoned examples in the training set of every model of ZOO, made again from its recipe.

    Ours is ``onnxray scan --training-data`` with activation-clustering, without clean pictures and with 200; the other
    is the activation defence of ART, which is a library: pip install 'onnxray[art]'. Records go to OUT/filters and are
    not made twice; ``onnxray bench report OUT`` shows what they come to.

    \b
    Examples:
      onnxray bench filters zoo -o results --data data --jobs 2
      onnxray bench filters zoo -o results --data data --filter onnxray --only '*-badnets-*'
    """
    from .filtering import filter_all, tasks
    from .subjects import placed

    todo = tasks(placed(zoo, parts, only), _whos(wanted), out, data)
    total = 0
    for number, records in enumerate(filter_all(todo, jobs, retry), 1):
        total += len(records)
        for record in records:
            click.echo(f"{number}/{len(todo)} {_told(record)}")
    click.echo(f"{total} records of {len(todo)} training sets")


def _whos(wanted: Sequence[str]) -> tuple[str, ...]:
    """Those that were asked for; of the others a filter whose library is missing is left out, and that is said."""
    from ...scanner.errors import OptionError
    from .peers import filters as known
    from .record import OURS

    every = (OURS, *known())
    if unknown := [name for name in wanted if name not in every]:
        raise OptionError(f"--filter {unknown[0]}: expected one of {', '.join(every)}")
    missing = {name: why for name, kind in known().items() if (why := kind().missing())}
    if named := [name for name in wanted if name in missing]:
        raise OptionError(missing[named[0]])
    for why in () if wanted else missing.values():
        click.echo(f"left out: {why}", err=True)
    return tuple(name for name in every if name in wanted or not (wanted or name in missing))


def _told(record: FilterRecord) -> str:
    head = f"{record.part}/{record.name}, {record.who} with {record.samples} pictures"
    if record.status != "done":
        return f"{head}: {record.status}: {record.note}"
    counts = f"{record.found} of {record.examples} examples, {record.right} of the {record.poisoned} poisoned ones"
    return f"{head}: {counts}, {record.seconds:.0f} s"
