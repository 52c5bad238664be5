"""Where settings come from when a command is called: files are read, checked, and made its defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from ..config_files import ConfigFile, layers, named_file
from ..errors import OptionError
from .configured import check_names, check_table, default_map, notes, settings_for, suppressions_in
from .methods import METHODS, check_methods, methods_in
from .policy_flags import SUPPRESSIONS
from .settings import WITHOUT, keys_of

__all__ = ["config_files", "config_flags", "configure", "user_file"]

Command = TypeVar("Command", bound=Callable[..., Any])


def config_flags(command: Command) -> Command:
    """The options of the whole tool that say which files are read."""
    for flag in (
        click.option("--no-config", is_flag=True, help="Read no file of settings but that of --config."),
        click.option(
            "--config",
            type=click.Path(path_type=Path, readable=False),
            metavar="FILE",
            help="One more file of settings (.toml), which wins over the user's and the project's.",
        ),
    ):
        command = flag(command)
    return command


def user_file() -> Path:
    """The user's own file of settings, where the platform keeps such files."""
    return Path(click.get_app_dir("onnxray")) / "config.toml"


def config_files(context: click.Context) -> tuple[ConfigFile, ...]:
    """The files that this call reads, in rising order of weight.

    Raises:
        OptionError: see ``config_files.layers``.
    """
    chosen = context.find_root().params
    named: Path | None = chosen.get("config")
    if chosen.get("no_config"):
        return () if named is None else (named_file(named),)
    return layers(user_file(), Path.cwd(), named)


def configure(
    context: click.Context, name: str, command: click.Command, rest: Sequence[str], known: Sequence[str]
) -> None:
    """Make what the files set the defaults of a command.

    Args:
        context: of the whole tool.
        name: the command's name.
        command: the command.
        rest: what is given to it; where that asks for help only, files with mistakes do not stand in its way.
        known: names of all commands.

    Raises:
        OptionError: a file cannot be read, or says what no command understands; the line names file and key.
    """
    if name in WITHOUT or context.resilient_parsing:
        return
    helped = any(word in ("-h", "--help") for word in rest)
    try:
        files = config_files(context)
        _take(context, name, command, files, known)
        if not helped:
            _prepare(context, name, command, files)
    except OptionError:
        if not helped:
            raise


def _take(
    context: click.Context, name: str, command: click.Command, files: Sequence[ConfigFile], known: Sequence[str]
) -> None:
    root = context.command
    if not isinstance(root, click.Group):
        return
    others = [other for other in known if other not in root.commands]
    check_names(root, files, others)
    for file in files:
        if name in others and name in file.table:
            check_table(command, file, (name,), file.table[name])
    context.default_map = {name: default_map((name,), command, files, own=name not in others)}


def _prepare(context: click.Context, name: str, command: click.Command, files: Sequence[ConfigFile]) -> None:
    """What is no flag's default, and what the user should know."""
    context.meta[SUPPRESSIONS] = suppressions_in(files)
    context.meta[METHODS] = methods_in(files)
    if "set" in keys_of(command):
        check_methods(files)
    own = isinstance(context.command, click.Group) and name in context.command.commands
    for note in notes(command, settings_for((name,), command, files, own), files):
        click.echo(f"onnxray: {note}", err=True)
