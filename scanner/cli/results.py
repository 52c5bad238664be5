"""``onnxray results``: what a batch has found, queried, shown, exported and joined with others."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from ...converters.messages import one_line
from ..registry import names
from .batch_flags import DEFAULT_STORE
from .documents import for_terminals
from .flags import DOCUMENTS, PATH, note_debug
from .policy_flags import policy_flags, policy_of
from .terminal import WORST_FIRST

__all__ = ["results"]

_FORMS = ["table", "json", *names(DOCUMENTS)]
SORTS = {"worst": "label", "name": "name", "score": "score", "seconds": "seconds", "size": "size", "ended": "ended"}


class Results(click.RichGroup):
    """A group whose own argument may be left out, and which still has sub-commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See ``click.Command.parse_args``; a store called like a sub-command is written ``./merge``."""
        named = bool(args) and args[0] in self.commands
        ctx.allow_interspersed_args = not named
        return super().parse_args(ctx, [str(DEFAULT_STORE), *args] if named else args)

    def format_usage(self, ctx: click.Context, formatter: Any) -> None:
        """See ``click.Command.format_usage``."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] [STORE]")


_which = partial(click.option, panel="Which models")
_what = partial(click.option, panel="Output")


@click.group(cls=Results, invoke_without_command=True)
@click.argument("store", type=PATH, default=DEFAULT_STORE, metavar="[STORE]")
@_which(
    "--label", "labels", type=click.Choice(WORST_FIRST), metavar="LABEL", multiple=True,
    help=f"Only these; may be repeated: {', '.join(WORST_FIRST)}.",
)  # fmt: skip
@_which("--model", "pattern", metavar="PATTERN", default="", help="Only names like this: a part, or vendor/*.")
@_which(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), metavar="DAY",
    help="Only what was scanned from this day on, in UTC.",
)  # fmt: skip
@_which(
    "--sort",
    type=click.Choice(tuple(SORTS)),
    metavar="ORDER",
    help=f"{', '.join(SORTS)}; if left out, a table has the worst first, all else goes by name.",
)
@_which("--limit", type=click.IntRange(min=1), metavar="N", help="No more than the first N.")
@_which("--show", metavar="MODEL", help="The whole report of one model: its name, the end of it, or its sha256.")
@_what(
    "-f", "--format", "form", type=click.Choice(_FORMS), metavar="FORM", default="table", show_default=True,
    help=f"What comes out: {', '.join(_FORMS)}; json is as jsonl, one object a line, and with --show one object.",
)  # fmt: skip
@_what("-o", "--output", type=PATH, metavar="FILE", help="Write it into a file, in one step.")
@_what("--export", type=PATH, metavar="DIR", help="Write reports and pictures there, a folder for each model.")
@_what("--check", is_flag=True, help="End with the code that a scan of these models would end with.")
@_what("-q", "--quiet", is_flag=True, help="No notes on standard error.")
@_what("--debug", is_flag=True, expose_value=False, callback=note_debug, help="Show tracebacks of internal errors.")
@policy_flags
@click.pass_context
def results(context: click.RichContext, /, store: Path, form: str, output: Path | None, **flags: Any) -> None:
    """Show what is kept in STORE, onnxray-results.sqlite if left out.

    \b
    Examples:
      onnxray results
      onnxray results --label backdoored --label suspicious -f csv > found.csv
      onnxray results --show vendor/resnet50.onnx
      onnxray results -f html -o catalog.html
      onnxray results --model 'vendor/*' --export reports/
      onnxray results merge all.sqlite part1.sqlite part2.sqlite

    \b
    Exit codes:
      0    shown; with --check whatever a scan of these models would end with
      2    the store or a file cannot be read or written
      3    no such model
      4    wrong usage
      130  interrupted
    """
    if context.invoked_subcommand is not None:
        return
    if form == "table" and output:
        raise click.UsageError("-o writes a document: choose one with -f, such as -f html")
    if not output:
        for_terminals(form, "write it into a file with -o catalog.html")
    from .results_query import show_results

    context.exit(show_results(store, form, output, policy_of(flags), flags))


@results.command()
@click.argument("out", type=PATH)
@click.argument("stores", type=PATH, nargs=-1, required=True, metavar="STORE...")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
def merge(out: Path, stores: tuple[Path, ...], quiet: bool) -> None:
    """Take over all that the STOREs hold into OUT, which is made if it is missing; doing so again changes nothing.

    \b
    Examples:
      onnxray results merge all.sqlite part1.sqlite part2.sqlite part3.sqlite

    \b
    Exit codes:
      0    merged
      2    a store cannot be read or written
      4    wrong usage
    """
    from .results_query import existing_store, merged

    for store in stores:
        existing_store(store)
    for line in merged(out, stores):
        if not quiet:
            click.echo(one_line(line, 1000), err=True)
