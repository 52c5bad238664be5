"""``onnxray bench detection``: how often this tool and its peers are right on a zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from .record import Record

__all__ = ["detection"]

PARTS = ("fit", "calibrate", "test")
SAMPLES = (0, 10, 50, 200, 1000)
FOLDER = click.Path(path_type=Path, file_okay=False)

zoo_argument = click.argument("zoo", type=click.Path(path_type=Path, file_okay=False, exists=True))
out_option = click.option("-o", "--output", "out", type=FOLDER, required=True, metavar="OUT", help="Records go here.")
data_option = click.option(
    "--data", type=FOLDER, metavar="DIR", help="Folder with mnist.npz, cifar10.npz, ...; for more pictures."
)
part_option = click.option(
    "--part", "parts", type=click.Choice(PARTS), multiple=True, default=("test",), show_default=True,
    help="Of the zoo; repeatable.",
)  # fmt: skip
only_option = click.option("--only", metavar="PATTERN", default="*", help="Only models like this, e.g. '*-badnets-*'.")
retry_option = click.option("--retry", is_flag=True, help="Make the records of failures again.")
jobs_option = click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="At once, each in one thread."
)


@click.command()
@zoo_argument
@out_option
@data_option
@part_option
@click.option(
    "--samples", "counts", type=click.IntRange(min=0), multiple=True, default=SAMPLES, show_default=True,
    help="Clean pictures given to a scan; repeatable; 0 for none.",
)  # fmt: skip
@only_option
@click.option("--peer", "peers", metavar="ID", multiple=True, help="Only this peer beside ours; repeatable.")
@click.option("--no-peers", is_flag=True, help="Ours alone.")
@click.option("--full-peers", is_flag=True, help="Peers as published, not at a price that a CPU can pay.")
@retry_option
@jobs_option
def detection(
    zoo: Path, out: Path, data: Path | None, parts: tuple[str, ...], counts: tuple[int, ...], only: str,
    peers: tuple[str, ...], no_peers: bool, full_peers: bool, retry: bool, jobs: int,
) -> None:  # fmt: skip
    """Scan every model of ZOO with every number of clean pictures, with this tool as it ships and with its peers.

    Each answer is a file in OUT/records as soon as it is known; what is there already, of the same file, version and
    settings, is not made again. Several such commands may work in one folder. What comes out of it is shown by
    ``onnxray bench report OUT``.

    \b
    Examples:
      onnxray bench detection zoo -o results --data data --jobs 2
      onnxray bench detection zoo -o results --samples 200 --only '*-wanet-*' --no-peers
    """
    from ...scanner.errors import OptionError
    from .detection import detect_all, tasks
    from .subjects import placed

    if 1 in counts:
        raise OptionError("--samples 1: a scan needs pictures of two classes; expected 0 or at least 2")
    whos = _whos(peers, no_peers)
    todo = tasks(placed(zoo, parts, only), whos, tuple(dict.fromkeys(counts)), out, data, full_peers)
    made = dict.fromkeys(("made", "kept", "elsewhere"), 0)
    for outcome in detect_all(todo, jobs, retry):
        made[outcome.status] += 1
        if outcome.status != "kept":
            click.echo(f"{sum(made.values())}/{len(todo)} {_told(outcome.record, outcome.status)}")
    click.echo(f"{made['made']} made, {made['kept']} kept, {made['elsewhere']} in work elsewhere")


def _whos(wanted: Sequence[str], none: bool) -> tuple[str, ...]:
    from ...scanner.errors import OptionError
    from .peers import peers
    from .record import OURS

    known = peers()
    if unknown := [name for name in wanted if name not in known]:
        raise OptionError(f"--peer {unknown[0]}: expected one of {', '.join(known) or 'none'}")
    if none and wanted:
        raise OptionError("--peer and --no-peers contradict each other")
    return (OURS, *(() if none else wanted or known))


def _told(record: Record, status: str) -> str:
    head = f"{record.who}, {record.samples} samples, {record.part}/{record.name}"
    if status == "elsewhere":
        return f"{head}: in work elsewhere"
    if record.status != "done":
        return f"{head}: {record.status}: {record.error}"
    truth = f"trojaned ({record.attack})" if record.trojaned else "clean"
    return f"{head}: {record.label} {record.score:.3f}, truth {truth}, {record.seconds:.0f} s"
