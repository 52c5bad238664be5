"""``onnxray scan``: one model in, a report and an exit code out."""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.exceptions import Exit

from ...converters.messages import one_line
from ..errors import OnnxrayError
from ..registry import build, plugins
from .exit_codes import DEBUG, ExitCode, exit_code
from .flags import FORMATS, PATH, input_flags, output_flags, scan_flags
from .progress import progress_bar
from .sandbox_flags import notes, sandbox_flags

if TYPE_CHECKING:
    from ..config import ScanOptions
    from ..findings import Report
    from ..reports import Artifacts


@click.command()
@click.argument("model", type=PATH)
@scan_flags
@input_flags
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="What the score is made with: a file of onnxray zoo calibrate, in place of the shipped one.",
)
@sandbox_flags
@output_flags
@click.pass_context
def scan(
    context: click.RichContext, /, model: Path, data: Path | None, form: str, output: Path | None, **flags: Any
) -> None:
    """Scan MODEL for a backdoor and say whether it may be deployed.

    The model is never modified. Its input convention is found out by trying; the flags below overrule that.

    \b
    Examples:
      onnxray scan model.onnx --data images/
      onnxray scan model.onnx --data test.npz -f json -o report/ > report.json
      onnxray scan model.onnx --data test.npz --set neural-cleanse.steps=500
      onnxray scan model.onnx --data test.npz --training-data train.npz
      onnxray scan model.onnx

    \b
    Exit codes:
      0    pass
      1    verdict at or above --fail-on
      2    error or inconclusive
      3    nothing to scan
      4    wrong usage
      130  interrupted
    """
    report = _report(_one_model(model), data and _existing(data), _options(flags), flags)
    if context.meta.get(DEBUG):
        click.echo("".join(failure.trace for failure in report.failures), err=True, nl=False)
    artifacts, problem = _write(report, output, form)
    click.echo(_rendered(form, report, artifacts).encode())
    if not flags["quiet"] and form != "text" and artifacts.folder:
        click.echo(f"onnxray: report and pictures are in {artifacts.folder}", err=True)
    if problem:
        click.echo(f"onnxray: {problem}", err=True)
    if problem and output:
        context.exit(ExitCode.ERROR)
    names = ("fail_on", "exit_zero", "allow_inconclusive")
    context.exit(exit_code(report.verdict.label, **{name: flags[name] for name in names}))


def _report(model: Path, data: Path | None, options: ScanOptions, flags: dict[str, Any]) -> Report:
    arguments: dict[str, Any] = {"path": model, "data": data, "options": options}
    if suspects := flags["training_data"]:
        arguments["training_data"] = _existing(suspects)
    with progress_bar(not flags["quiet"]) as progress, redirect_stdout(sys.stderr):
        if flags["no_sandbox"]:
            from .. import pipeline

            # Whatever a library prints must not end up in a report on standard output.
            return pipeline.scan(**arguments, progress=progress)
        from ..confined_scan import limits_for, scan_confined

        return scan_confined(arguments, limits_for(options, flags["max_memory"]), progress, notes(flags["quiet"]))


def _one_model(path: Path) -> Path:
    """The model file itself, or the only one in a folder; some formats of other frameworks are folders."""
    if not os.path.isdir(path):  # unlike Path.is_dir, silent about names that are too long
        return _existing(path)
    from ...converters.sources import find

    if find(path):
        return path
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".onnx" and p.is_file())
    if not found:
        click.echo(f"onnxray: nothing to scan: no .onnx file in the folder {one_line(path)}", err=True)
        raise Exit(ExitCode.NOTHING)
    if len(found) > 1:
        example = one_line(found[0])
        raise click.UsageError(
            f"expected one model, got a folder with {len(found)} models; name one, such as {example}"
        )
    return found[0]


def _existing(path: Path) -> Path:
    if not os.path.exists(path):
        raise OnnxrayError(f"{one_line(path)}: there is no such file or folder; check the path")
    return path


def _options(flags: dict[str, Any]) -> ScanOptions:
    from ..config import ScanOptions
    from ..domain_search import DomainOverrides

    names = ("seed", "samples", "detectors", "settings", "max_seconds", "device", "scores", "calibration")
    overrides = DomainOverrides(**{name: flags[name] for name in ("layout", "input_range", "mean", "std", "bgr")})
    return ScanOptions(**{name: flags[name] for name in names}, overrides=overrides)


def _write(report: Report, output: Path | None, form: str) -> tuple[Artifacts, str]:
    """Write the files where they were asked for; a full disk must not cost the report, so a failure is returned."""
    from ..reports import Artifacts, write_artifacts

    if output is None and form != "text":
        return Artifacts(), ""
    stem = re.sub(r"[^\w.-]", "_", Path(report.model.path).stem)[:80]
    folder = output or Path("onnxray-report") / f"{stem}-{report.model.sha256[:8]}"
    try:
        return write_artifacts(report, folder), ""
    except OSError as error:
        return Artifacts(), f"the report's files could not be written to {folder}: {error.strerror or error}"


def _rendered(form: str, report: Report, artifacts: Artifacts) -> str:
    from ..reports import Format

    plugin = plugins(FORMATS, Format)[form]  # type: ignore[type-abstract]
    wanted = {field.name for field in fields(plugin)}  # type: ignore[arg-type]
    options = {name: value for name, value in _terminal().items() if name in wanted}
    return build(plugin, options).render(report, artifacts)


def _terminal() -> dict[str, object]:
    """What standard output can show, under the names of the formats' options."""
    from rich.console import Console

    console = Console()
    colors = "none" if console.no_color or console.color_system in (None, "windows") else console.color_system
    return {"width": console.width, "colors": colors, "ascii": not console.encoding.startswith("utf")}
