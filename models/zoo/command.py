"""``onnxray zoo``: build the models that the tool is tried on, and list them."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ..calibration.command import calibrate

if TYPE_CHECKING:
    from rich.table import Table

    from .build import Outcome
    from .recipe import Recipe

__all__ = ["zoo"]

SIZES = ("tiny", "reduced", "full")
PARTS = ("fit", "calibrate", "test")
FOLDER = click.Path(path_type=Path, file_okay=False)

size_option = click.option("--size", type=click.Choice(SIZES), default="reduced", show_default=True)
part_option = click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, help="Only this; repeatable.")
only_option = click.option("--only", metavar="PATTERN", default="*", help="Only names like this, e.g. '*-badnets-*'.")


@click.group()
def zoo() -> None:
    """Build and list the zoo: small classifiers, clean and trojaned, each with what is true of it."""


zoo.add_command(calibrate)


@zoo.command()
@click.argument("folder", type=FOLDER)
@click.option("--data", type=FOLDER, default=Path(), metavar="DIR", help="Folder with mnist.npz, cifar10.npz, ...")
@size_option
@part_option
@only_option
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Models made at once.")
def build(folder: Path, data: Path, size: Any, parts: tuple[str, ...], only: str, jobs: int) -> None:
    """Make the models that are not in FOLDER yet; those whose attack did not take go to FOLDER/weak.

    \b
    Examples:
      onnxray zoo build zoo --size tiny
      onnxray zoo build zoo --size reduced --data data --jobs 2
      onnxray zoo build zoo --size full --data data --part test --only '*-vit-*'
    """
    from ...scanner.errors import OnnxrayError
    from .build import Workshop
    from .build import build as build_zoo

    outcomes = []
    wanted = _wanted(size, parts, only)
    for number, outcome in enumerate(build_zoo(wanted, Workshop(folder, data, jobs)), 1):
        outcomes.append(outcome)
        click.echo(f"{number}/{len(wanted)} {outcome.recipe.part}/{outcome.recipe.name}: {_told(outcome)}")
    counts = {status: sum(o.status == status for o in outcomes) for status in ("made", "weak", "kept", "failed")}
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    if counts["failed"]:
        raise OnnxrayError(f"{counts['failed']} models could not be made; the reasons stand above")


@zoo.command("list")
@click.argument("folder", type=FOLDER, required=False)
@size_option
@part_option
@only_option
def list_models(folder: Path | None, size: Any, parts: tuple[str, ...], only: str) -> None:
    """Show the recipes, and of those that are built in FOLDER what was measured."""
    from rich.console import Console

    Console().print(_table(_wanted(size, parts, only), folder))


def _wanted(size: Any, parts: tuple[str, ...], only: str) -> list[Recipe]:
    from ...scanner.errors import OptionError
    from .recipes import recipes

    found = [r for r in recipes(size) if (not parts or r.part in parts) and fnmatch(r.name, only)]
    if not found:
        raise OptionError(f"--only {only}: expected a pattern of names like 'mnist-*' or '*-wanet-*', nothing fits it")
    return found


def _told(outcome: Outcome) -> str:
    if outcome.truth is None:
        return f"failed: {outcome.message}"
    accuracy, success = _figures(outcome.truth)
    attack = f", attack success {success}" if success else ""
    return f"{outcome.status}, clean accuracy {accuracy}{attack}, {outcome.seconds:.0f} s"


def _figures(truth: dict[str, Any]) -> tuple[str, str]:
    success = truth["attack_success"]
    return f"{truth['clean_accuracy']['value']:.3f}", f"{success['value']:.3f}" if success else ""


def _table(wanted: list[Recipe], folder: Path | None) -> Table:
    from rich.table import Table

    table = Table("part", "model", "rate", "target", "clean acc.", "ASR", title=None)
    for row in _rows(wanted, folder):
        table.add_row(*row)
    return table


def _rows(wanted: list[Recipe], folder: Path | None) -> Iterator[tuple[str, ...]]:
    from .build import finished, truth_of

    for recipe in wanted:
        place = finished(folder, recipe) if folder else None
        options = dict(recipe.attack.options) if recipe.attack else {}
        known = _figures(truth_of(place)) if place else ("", "")
        yield recipe.part, recipe.name, f"{recipe.rate:g}", str(options.get("target", "")), *known
