"""``onnxray convert``: a model of another framework in, an ONNX file out that predicts the same."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ...converters.messages import one_line
from ..errors import OnnxrayError
from .exit_codes import DEBUG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...converters.sources import ConversionOptions, ConversionSummary

_PATH = click.Path(path_type=Path, readable=False)  # an unreadable file gets our own line


def _shape(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """ "1,3,224,224" as whole numbers."""
    if value is None:
        return None
    sizes = [part.strip() for part in value.split(",")]
    if len(sizes) < 2 or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise click.BadParameter(f"expected sizes with commas between them, batch first, as 1,3,224,224; got {value!r}")
    return tuple(map(int, sizes))


def _debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[DEBUG] = value


@click.command()
@click.argument("source", type=_PATH)
@click.option("-o", "--output", required=True, type=_PATH, metavar="MODEL.onnx", help="The file to write.")
@click.option("--arch", metavar="NAME", help="timm's name of the network, for weights alone, such as resnet18.")
@click.option("--classes", type=click.IntRange(min=2), metavar="K", help="How many classes, for weights alone.")
@click.option("--input-shape", callback=_shape, metavar="SIZES", help="Batch first, such as 1,3,224,224.")
@click.option("--inputs", type=_PATH, metavar="FILE", help="Real inputs to compare on too: .npy, or .npz with x.")
@click.option("--trust", multiple=True, metavar="TYPE", help="A scikit-learn type to load from skops; repeatable.")
@click.option(
    "-f", "--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True,
    help="What standard output gets.",
)  # fmt: skip
@click.option("--debug", is_flag=True, expose_value=False, callback=_debug, help="Show tracebacks of internal errors.")
def convert(
    source: Path,
    output: Path,
    arch: str | None,
    classes: int | None,
    input_shape: tuple[int, ...] | None,
    inputs: Path | None,
    trust: tuple[str, ...],
    form: str,
) -> None:
    """Convert SOURCE to ONNX and compare its own predictions with onnxruntime's.

    Use it for a model that is no .onnx file yet; a scan does the same by itself. Nothing is written unless they agree.
    Files that could run code of their own, such as pickles, are refused.

    \b
    Examples:
      onnxray convert model.pt2 -o model.onnx
      onnxray convert model.safetensors --arch resnet18 --classes 10 -o model.onnx
      onnxray convert script.pt --input-shape 1,3,224,224 -o model.onnx

    \b
    Exit codes:
      0    converted
      2    error or refused
      4    wrong usage
      130  interrupted

    \b
    See also:
      onnxray inspect    what of a file can be scanned
      docs/convert.md    every framework, and what is refused
    """
    from ...converters.sources import ConversionOptions

    if output.suffix.lower() != ".onnx":
        raise click.BadParameter(f"expected a name that ends in .onnx, got {str(output)!r}", param_hint="-o")
    options = ConversionOptions(
        arch=arch, classes=classes, input_shape=input_shape, samples=_samples(inputs), trust=trust
    )
    summary = _converted(source, output, options)
    click.echo(_json(summary) if form == "json" else _text(summary))


def _samples(path: Path | None) -> NDArray[Any] | None:
    from ...converters.sources import read_samples

    return None if path is None else read_samples(path)


def _converted(source: Path, output: Path, options: ConversionOptions) -> ConversionSummary:
    from ...converters.sources import convert as convert_source

    if output.exists() and source.exists() and output.samefile(source):
        raise OnnxrayError(f"{output}: the source itself; name another file to write")
    with redirect_stdout(sys.stderr):  # whatever a library prints must not end up in a report on standard output
        return convert_source(source, output, options)


def _text(summary: ConversionSummary) -> str:
    return "\n".join(f"{click.style(name.ljust(9), bold=True)}  {words}" for name, words in _lines(summary))


def _lines(summary: ConversionSummary) -> list[tuple[str, str]]:
    from ...converters.facts import shown

    facts, parity = summary.facts, summary.parity
    lines = [
        ("written", one_line(facts.path, 1000)),
        ("from", f"{one_line(summary.source, 1000)}, {summary.framework}"),
        ("by", f"{summary.exporter}, opset {facts.opset}" if facts.opset else summary.exporter),
        ("input", f"{one_line(facts.input.name)} {facts.input.dtype} {shown(facts.input.shape)}"),
        ("classes", str(facts.classes)),
    ]
    if parity is not None:
        words = f"largest difference {parity.relative:.1e} of the scale of the scores, {parity.tolerance:.0e} allowed"
        lines.append(("compared", f"with the source's own predictions on {parity.inputs} inputs: {words}"))
    return [*lines, *(("note", one_line(note)) for note in summary.notes)]


def _json(summary: ConversionSummary) -> str:
    import json
    from dataclasses import asdict

    told = {"schema": "onnxray/conversion/1", **asdict(summary)}
    told["model"] = told.pop("facts")
    if summary.parity is not None:
        told["parity"]["relative"] = summary.parity.relative
    return json.dumps(told, indent=2)
