"""``python -m onnxray.models.catalog_bench``: a catalog, kills, and whether anything was lost."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import rich_click as click

from ...scanner.cli.exit_codes import ExitCode, exits
from .building import build
from .driver import QUICK, Place, adopted_orphans
from .judging import checks
from .killing import killed_and_begun_again, moments
from .measuring import measured
from .pace import undisturbed
from .telling import lines


@click.command()
@click.option("--models", type=click.IntRange(min=12), default=300, show_default=True, help="Names in the catalog.")
@click.option("--kills", type=click.IntRange(min=0), default=16, show_default=True, help="Drivers and scans killed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the catalog and of the kills.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Of the run with the kills.")
@click.option("--seconds", type=float, default=7200.0, show_default=True, help="Most for the run with the kills.")
@click.option(
    "--sample", type=click.IntRange(min=0), default=20, show_default=True,
    help="Plain models of each undisturbed run that is timed; 0 times none, and compares with the whole catalog.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=2, show_default=True, help="Timed, with 1 and 2 workers.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Empty folder to work in, kept.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The numbers as JSON.")
@click.pass_context
def catalog_bench(
    context: click.Context, /, models: int, kills: int, seed: int, workers: int, seconds: float, sample: int,
    rounds: int, keep: Path | None, output: Path | None,
) -> None:  # fmt: skip
    """Scan a made catalog through kills, and compare with what nobody disturbed; ends with 1 if anything was lost."""
    with exits(context), _folder(keep) as folder, adopted_orphans():
        place, expected = Place(folder), build(folder, models, seed)
        (folder / "expected.json").write_text(json.dumps(asdict(expected), indent=1), encoding="utf-8")
        _told(f"{len(expected.names)} names, {expected.jobs} to scan, each with {' '.join(QUICK)}")
        ordeal = killed_and_begun_again(place, moments(kills, expected.jobs, seed), workers, seconds, _told)
        numbers = measured(place, expected, ordeal)
        quiet = undisturbed(place, expected, sample, rounds, seed, _told)
        judged = checks(expected, ordeal, place, quiet.answers)
        click.echo("\n".join(lines(numbers, quiet, judged)))
        if output:
            found = {**asdict(numbers), "rates": quiet.rates, "checks": [asdict(check) for check in judged]}
            output.write_text(json.dumps({"options": list(QUICK), **found}, indent=1), encoding="utf-8")
    context.exit(ExitCode.FOUND if any(check.wrong for check in judged) else ExitCode.PASS)


def _told(line: str) -> None:
    click.echo(line, err=True)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="catalog-bench-") as name:
            yield Path(name)
    else:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()


if __name__ == "__main__":
    catalog_bench()
