"""``onnxray inspect``: what is in a model file, and how much of it can be scanned."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from .exit_codes import DEBUG

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ...converters.inspection import Inspection

_LAYERS = 40  # rows that are shown without --all


@click.command()
@click.argument("model", type=click.Path(path_type=Path, readable=False))
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Form of the answer.")
@click.option("--scores", metavar="NAME", help="The output that holds the scores, where the file has several.")
@click.option("--all", "everything", is_flag=True, help="Show every layer, not only the first 40.")
@click.option("--debug", is_flag=True, help="Show a traceback for an unexpected error.")
@click.pass_context
def inspect(
    context: click.RichContext, /, model: Path, form: str, scores: str | None, everything: bool, debug: bool
) -> None:
    """Say what is in MODEL: inputs, outputs, operators, layers, what has a torch twin and what has not, and why.

    Use it where a scan says that there is no torch twin. The twin is tried on random inputs; no data is needed. Nothing
    of the file is changed.

    \b
    Examples:
      onnxray inspect model.onnx
      onnxray inspect model.onnx -f json

    \b
    Exit codes:
      0    shown
      2    a file that cannot be read
      4    wrong usage
      130  interrupted

    \b
    See also:
      onnxray scan         scans it
      docs/operators.md    which operators have a twin
    """
    from ...converters.inspection import inspect as look

    context.meta[DEBUG] = debug
    with redirect_stdout(sys.stderr):
        found = look(model, scores=scores)
    if form == "json":
        click.echo(_json(found))
    else:
        _print(found, None if everything else _LAYERS)


def _json(found: Inspection) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def _print(found: Inspection, most: int | None) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=False)
    for part in (_facts(found), _operators(found), _layers(found, most), _verdict(found)):
        console.print(part)
        console.print()


def _facts(found: Inspection) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    rows = [
        ("file", found.path),
        ("sha256", found.sha256),
        ("written by", found.producer or "(not said)"),
        ("opsets", ", ".join(f"{name} {version}" for name, version in found.opsets.items())),
        *(("input", f"{port.name}  {port.type}") for port in found.inputs),
        *(("output", f"{port.name}  {port.type}") for port in found.outputs),
        ("parameters", f"{found.parameters:,}"),
    ]
    if found.facts:
        head = f", behind {' and '.join(found.facts.head)}" if found.facts.head else ""
        rows.append(("classes", f"{found.facts.classes}, read from {found.facts.output.name!r}{head}"))
    for name, value in rows:
        table.add_row(Text(name, "dim"), Text(value))
    return table


def _operators(found: Inspection) -> RenderableType:
    from rich.text import Text

    table = _table("operator", "nodes", "twin", "gradient")
    for used in found.operators:
        missing = used.twin == "missing"
        twin = Text("missing", "bold red") if missing else Text(used.twin)
        gradient = "" if missing else used.gradient
        table.add_row(Text(used.name), Text(str(used.count), justify="right"), twin, Text(gradient))
    return table


def _layers(found: Inspection, most: int | None) -> RenderableType:
    from rich.text import Text

    shown = found.layers[:most]
    table = _table("layer", "operator", "weight", "shape")
    for layer in shown:
        shape = " x ".join(map(str, layer.shape))
        table.add_row(Text(layer.name), Text(layer.operator), Text(layer.weight), Text(shape))
    if len(shown) < len(found.layers):
        table.caption = f"{len(found.layers) - len(shown)} more layers; --all shows them"
    return table


def _verdict(found: Inspection) -> RenderableType:
    from rich.text import Text

    text = Text()
    if found.parity:
        text.append("twin      ", "dim").append("agrees with onnxruntime", "bold green")
        text.append(f": differs by {found.parity.relative:.1e} of the logits' scale on {found.parity.inputs} inputs")
    elif found.agreement:
        text.append("graph     ", "dim").append("converts and agrees with onnxruntime", "bold yellow")
        text.append(f" ({found.agreement.relative:.1e} of the outputs' scale)")
    else:
        text.append("twin      ", "dim").append("none", "bold red")
    for problem in found.problems:
        text.append("\nwhy       ", "dim").append(problem)
    return text.append("\npossible  ", "dim").append(found.remains)


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
