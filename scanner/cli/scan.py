"""``onnxray scan``: models in, a report or a table and an exit code out."""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ..registry import build, names, plugins
from .batch_flags import asks_for_batch, batch_flags
from .documents import for_terminals, print_document
from .exit_codes import DEBUG, ExitCode
from .flags import FORMATS, PATHS, input_flags, output_flags, scan_flags
from .policy_flags import exit_code_of, policy_flags, policy_of
from .progress import progress_bar
from .sandbox_flags import notes, sandbox_flags
from .scan_paths import existing, one_model
from .terminal import terminal

if TYPE_CHECKING:
    from ..answers import Answer
    from ..config import ScanOptions
    from ..findings import Report
    from ..reports import Artifacts


@click.command()
@click.argument("paths", type=PATHS, nargs=-1, metavar="PATH...")
@scan_flags
@input_flags
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="What the score is made with: a file of onnxray zoo calibrate, in place of the shipped one.",
)
@batch_flags
@sandbox_flags
@output_flags
@policy_flags
@click.pass_context
def scan(context: click.RichContext, /, paths: tuple[str, ...], form: str, **flags: Any) -> None:
    """Scan models for backdoors and say whether they may be deployed.

    PATH is a model, or many: folders, archives (.zip, .tar.gz), patterns in quotes, hf://org/repo[@revision]. One model
    gets a report. Many get a table, and everything that is found is kept in a file: the same command goes on where it
    was stopped. No model is ever modified. Input conventions are found out by trying; the flags below overrule that.

    \b
    Examples:
      onnxray scan model.onnx --data images/
      onnxray scan model.onnx --data test.npz -f json -o report/ > report.json
      onnxray scan model.onnx --data test.npz --set neural-cleanse.steps=500
      onnxray scan model.onnx --data test.npz --training-data train.npz
      onnxray scan model.onnx
      onnxray scan downloads/ zoo.zip --data test.npz --list
      onnxray scan downloads/ zoo.zip --data test.npz -f html > catalog.html
      onnxray scan --manifest catalog.toml --shard 2/8 --store part2.sqlite

    \b
    Exit codes, of many models the worst: 1 before 2 before 3 before 0:
      0    pass
      1    verdict at or above --fail-on
      2    error or inconclusive, or a model that could not be scanned
      3    nothing to scan
      4    wrong usage
      130  interrupted
    """
    for_terminals(form, "send it to a file with > catalog.html; -o DIR alone writes DIR/index.html for many models")
    model = None if asks_for_batch(context) else one_model(paths)
    flags["data"], flags["training_data"] = (
        flags[name] and existing(flags[name]) for name in ("data", "training_data")
    )
    if model is not None:
        context.exit(_scan_one(context, model, form, flags))
    if not paths and not flags["manifest"]:
        raise click.UsageError("expected a model, a folder of models, or --manifest; got nothing")
    from .scan_many import scan_many

    context.exit(scan_many(paths, _options(flags), form, flags))


def _scan_one(context: click.Context, model: Path, form: str, flags: dict[str, Any]) -> ExitCode:
    report, output = _report(model, _options(flags), flags), flags["output"]
    if context.meta.get(DEBUG):
        click.echo("".join(failure.trace for failure in report.failures), err=True, nl=False)
    artifacts, problem = _write(report, output, form)
    answer = _answer(report)
    if form in names(FORMATS):
        click.echo(_rendered(form, report, artifacts).encode())
    else:
        from ..policy import Judging

        policy = policy_of(flags)
        print_document(form, Judging(policy).over([answer]), policy)
    if not flags["quiet"] and form != "text" and artifacts.folder:
        click.echo(f"onnxray: report and pictures are in {artifacts.folder}", err=True)
    if problem:
        click.echo(f"onnxray: {problem}", err=True)
    if problem and output:
        return ExitCode.ERROR
    return exit_code_of([answer], policy_of(flags))


def _answer(report: Report) -> Answer:
    from ..answers import Answer
    from ..reports import written

    contract, files = written(report)
    facts, seconds = report.model, sum(report.timings.values())
    return Answer((facts.path,), report=contract, files=files, sha256=facts.sha256, size_bytes=facts.size_bytes,
                  seconds=seconds, tries=1)  # fmt: skip


def _report(model: Path, options: ScanOptions, flags: dict[str, Any]) -> Report:
    arguments: dict[str, Any] = {"path": model, "data": flags["data"], "options": options}
    if suspects := flags["training_data"]:
        arguments["training_data"] = suspects
    with progress_bar(not flags["quiet"]) as progress, redirect_stdout(sys.stderr):
        if flags["no_sandbox"]:
            from .. import pipeline

            # Whatever a library prints must not end up in a report on standard output.
            return pipeline.scan(**arguments, progress=progress)
        from ..confined_scan import limits_for, scan_confined

        return scan_confined(arguments, limits_for(options, flags["max_memory"]), progress, notes(flags["quiet"]))


def _options(flags: dict[str, Any]) -> ScanOptions:
    from ..config import ScanOptions
    from ..domain_search import DomainOverrides

    kept = ("seed", "samples", "detectors", "also", "settings", "max_seconds", "device", "scores", "calibration")
    overrides = DomainOverrides(**{name: flags[name] for name in ("layout", "input_range", "mean", "std", "bgr")})
    return ScanOptions(**{name: flags[name] for name in kept}, overrides=overrides)


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
    options = {name: value for name, value in terminal().items() if name in wanted}
    return build(plugin, options).render(report, artifacts)
