"""``python -m onnxray.models.hostile``: write every threat as a file, and say what onnxray decides on each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rich_click as click

from ...scanner.cli.exit_codes import ExitCode, exits
from .bombs import BOMBS
from .decide import decision, written
from .files import FILES


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for the files, kept.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Wall clock of each confined scan.")
@click.pass_context
def hostile(context: click.Context, /, output: Path | None, seconds: float) -> None:
    """Write every threat as a file, and say what onnxray decides on it; ends with 1 if anything is not as expected."""
    wrong = 0
    with exits(context), _folder(output) as folder:
        for case in (*BOMBS, *FILES):
            found = decision(written(case, folder), case.expected, seconds)
            wrong += found != case.expected
            mark = "" if found == case.expected else f"   EXPECTED {case.expected}"
            click.echo(f"{case.name:28} {found}{mark}")
    click.echo(f"{len(BOMBS) + len(FILES)} files, {wrong} not as expected")
    context.exit(ExitCode.FOUND if wrong else ExitCode.PASS)


@contextmanager
def _folder(output: Path | None) -> Iterator[Path]:
    if output is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
    else:
        output.mkdir(parents=True, exist_ok=True)
        yield output


if __name__ == "__main__":
    hostile()
