"""``onnxray audit``: what files give away without being run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from ...converters.messages import one_line
from ..findings import Severity
from .exit_codes import DEBUG, ExitCode
from .flags import PATH
from .policy_flags import policy_flag, suppressions_here

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..answers import Suppression
    from ..audit import Audit
    from ..audited_file import AuditedFile
    from ..findings import Finding
    from ..suppressions import Accepting

COLOURS = {"note": "dim", "low": "cyan", "medium": "yellow", "high": "red", "critical": "bold red"}
LIMITS = "Rules find what they know. That a file has no backdoor in its weights only a scan can make likely."
WORST_FIRST = (ExitCode.FOUND, ExitCode.ERROR, ExitCode.NOTHING, ExitCode.PASS)


def _debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[DEBUG] = value


@click.command()
@click.argument("paths", type=PATH, nargs=-1, required=True, metavar="PATH...")
@click.option(
    "-f", "--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True,
    help="What standard output gets; json is one object a line for each file.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice([s.value for s in Severity]), metavar="SEVERITY", default="medium",
    show_default=True, help="Exit with 1 from this severity on: note, low, medium, high or critical.",
)  # fmt: skip
@policy_flag
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found; errors still exit with 2.")
@click.option("--debug", is_flag=True, expose_value=False, callback=_debug, help="Show tracebacks of broken rules.")
@click.pass_context
def audit(
    context: click.RichContext,
    /,
    paths: tuple[Path, ...],
    form: str,
    fail_on: str,
    policy: Path | None,
    exit_zero: bool,
) -> None:
    """Read the .onnx files at PATH, in folders too, and say what their graphs and bytes give away.

    Use it first, and in pipelines: nothing is run or converted, and it takes about as long as reading the files.
    `onnxray explain RULE` says what a finding means, how to confirm it, how to fix it, and what harmless files can look
    like it.

    \b
    Examples:
      onnxray audit model.onnx
      onnxray audit models/ --fail-on high
      onnxray audit models/ -f json > audits.jsonl

    \b
    Exit codes:
      0    pass
      1    a finding at or above --fail-on
      2    a file that cannot be read, or a rule that broke
      3    nothing to audit
      4    wrong usage
      130  interrupted

    \b
    See also:
      onnxray explain value-gate    a rule
      onnxray scan                  what only running the model can show
      docs/audit.md                 how gates are found
    """
    from ..audit_paths import models_in
    from ..suppressions import Accepting

    accepting = Accepting(suppressions_here(context))
    codes = [_one(context, path, form, fail_on, exit_zero, accepting) for path in list(models_in(paths))]
    for note in accepting.notes():
        click.echo(f"onnxray: {note}", err=True)
    if not codes:
        click.echo(f"onnxray: nothing to audit: no .onnx file in {', '.join(map(one_line, paths))}", err=True)
        context.exit(ExitCode.NOTHING)
    context.exit(min(codes, key=WORST_FIRST.index))


def _one(
    context: click.Context, path: Path, form: str, fail_on: str, exit_zero: bool, accepting: Accepting
) -> ExitCode:
    """Audit a file, print what was found, and say with which code this file alone would end."""
    from ..audit import SEVERITIES, audit
    from ..audited_file import AuditedFile
    from ..errors import OnnxrayError

    try:
        file = AuditedFile.open(path)
    except OnnxrayError as error:
        click.echo(_json_error(path, error) if form == "json" else f"onnxray: error: {one_line(error, 1000)}",
                   err=form != "json")  # fmt: skip
        return ExitCode.ERROR
    found = audit(file)
    accepted = accepting.of(str(path), file.sha256, [finding.rule for finding in found.findings])
    if context.meta.get(DEBUG):
        click.echo("".join(failure.trace for failure in found.failures), err=True, nl=False)
    if form == "json":
        click.echo(_json(file, found, accepted))
    else:
        _print(file, found, accepted)
    bar = SEVERITIES.index(Severity(fail_on))
    counted = [finding for finding in found.findings if finding.rule not in accepted]
    if not exit_zero and any(SEVERITIES.index(finding.severity) >= bar for finding in counted):
        return ExitCode.FOUND
    return ExitCode.ERROR if found.failures else ExitCode.PASS


def _json(file: AuditedFile, found: Audit, accepted: Mapping[str, Suppression]) -> str:
    from ..audit_json import audit_contract

    return audit_contract(file, found, accepted)


def _json_error(path: Path, error: Exception) -> str:
    from ..audit_json import audit_error

    return audit_error(path, error)


def _print(file: AuditedFile, found: Audit, accepted: Mapping[str, Suppression]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    for part in _parts(file, found, accepted):
        console.print(part)


def _parts(file: AuditedFile, found: Audit, accepted: Mapping[str, Suppression]) -> Iterator[RenderableType]:
    from rich.text import Text

    worst = found.worst or "nothing found"
    yield Text.assemble((one_line(file.path, 1000), "bold"), "  ", (worst, COLOURS.get(worst, "green")))
    for finding in found.findings:
        yield from _finding(finding)
        if one := accepted.get(finding.rule):
            until = f", until {one.expires}" if one.expires else ""
            yield Text(f"    accepted{until}: {one_line(one.reason, 400)}", "green")
    for failure in found.failures:
        yield Text(f"  {failure.check} broke and says nothing: {one_line(failure.why, 400)}", "magenta")
    yield Text(f"  {len(found.ran)} rules, sha256 {file.sha256}. {LIMITS}", "dim")


def _finding(finding: Finding) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text.assemble("  ", (finding.severity, COLOURS[finding.severity]), "  ", (finding.rule, "bold"), "  ",
                        one_line(finding.message, 1000))  # fmt: skip
    yield Text(f"    at {one_line(finding.location, 400)}", "dim")
    if finding.path:
        yield Text("    path: " + one_line(" → ".join(finding.path), 2000), "dim")
