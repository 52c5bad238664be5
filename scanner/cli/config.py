"""``onnxray config``: which settings are in force, and where each is from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import rich_click as click

from ...converters.messages import one_line
from .config_keys import keys_table
from .effective import Value, check_all, effective, files_told

__all__ = ["config"]


@click.group()
def config() -> None:
    """Show or check the settings that are in force, and where each of them is from.

    Settings are the flags' names, in config.toml of the user's configuration folder, in onnxray.toml or in
    pyproject.toml under [tool.onnxray] in this folder or above it, and in the file of --config: each wins over those
    before it, a variable such as ONNXRAY_SCAN_SAMPLES over all files, and a flag over everything.

    \b
    Examples:
      onnxray config show scan
      onnxray --config strict.toml config check

    \b
    See also:
      docs/configuration.md    every setting, and what a project's file may set
    """


@config.command()
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND [FLAGS]...]")
@click.option("-f", "--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True,
              help="What standard output gets.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Show settings that nothing has changed, too.")
@click.pass_context
def show(context: click.RichContext, /, command: tuple[str, ...], form: str, everything: bool) -> None:
    """Print every setting of COMMAND, its value, and where it is from: file and key, flag, variable or default.

    Use it when a scan does not do what a file says, or before trusting a project's file. Without COMMAND, what was
    changed for any command is shown. Flags of COMMAND may follow after --, to see what they change.

    \b
    Examples:
      onnxray config show
      onnxray config show scan
      onnxray config show -f json repair
      onnxray config show scan -- --samples 50 --fail-on backdoored

    \b
    Exit codes:
      0    shown
      4    a file is wrong, or wrong usage

    \b
    See also:
      onnxray config check     whether the files are right
      docs/configuration.md    every setting
    """
    shown = [v for v in effective(context, command) if everything or command or v.origin != "default"]
    if form == "json":
        click.echo(json.dumps([v.told() for v in shown], indent=2))
        return
    for line in files_told(context):
        click.echo(line)
    click.echo("\n".join(_table(shown)) if shown else "nothing is set: all settings are onnxray's own")


@config.command()
@click.pass_context
def check(context: click.RichContext, /) -> None:
    """Read every file of settings and try every value in it, for all commands.

    Use it in the tests of a repository that has such a file: other commands only try what they use.

    \b
    Examples:
      onnxray config check
      onnxray --config ci/onnxray.toml config check

    \b
    Exit codes:
      0    right
      4    a file is wrong; the line names file and key

    \b
    See also:
      onnxray config show    the values, and where they are from
    """
    check_all(context)
    for line in files_told(context):
        click.echo(line)
    click.echo("every key and value is right")


@config.command()
@click.pass_context
def keys(context: click.RichContext, /) -> None:
    """Print every setting as a table in Markdown, which is in docs/configuration.md.

    Use it to see which commands take a setting, and what a project's file may set.

    \b
    Examples:
      onnxray config keys

    \b
    Exit codes:
      0    printed
      4    wrong usage

    \b
    See also:
      onnxray config show    the values that are in force
    """
    root = context.find_root().command
    click.echo("\n".join(keys_table(root)))


def _table(values: Sequence[Value]) -> Iterator[str]:
    rows = [(" ".join((*v.command, v.key)), one_line(v.words, 60), one_line(v.source, 200)) for v in values]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        yield f"{name.ljust(widths[0])}  {value.ljust(widths[1])}  {source}"
