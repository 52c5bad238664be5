"""Export whole models of a family into a folder: python -m onnxray.models.conversion.build timm -o FOLDER."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import rich_click as click

from ...converters.messages import one_line
from .families import family, names

FAILED = "not-exported.json"


@click.command()
@click.argument("chosen", nargs=-1, type=click.Choice(names()), metavar="FAMILY...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="One sub-folder for each family.")
def main(chosen: tuple[str, ...], output: Path) -> None:
    """Export the models of each FAMILY; what is there already is kept, what its exporter refuses is noted."""
    for name in chosen:
        folder = output / name
        folder.mkdir(parents=True, exist_ok=True)
        failed = build(name, folder)
        (folder / FAILED).write_text(json.dumps(failed, indent=1) + "\n", encoding="utf-8")
        click.echo(f"{name}: {len(list(folder.glob('*.onnx')))} models, {len(failed)} that could not be exported")


def build(name: str, folder: Path) -> dict[str, str]:
    """Export one family; return the models that its own exporter could not write, with the reason."""
    failed = {}
    for model, recipe in family(name):
        path, part = folder / f"{model}.onnx", folder / f"{model}.part"
        if path.exists():
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                recipe(str(part))
            part.rename(path)
        except Exception as error:  # noqa: BLE001 - a foreign exporter may raise anything; that is what is noted
            part.unlink(missing_ok=True)
            failed[model] = f"{type(error).__name__}: {one_line(error, 200)}"
    return failed


if __name__ == "__main__":
    main()
