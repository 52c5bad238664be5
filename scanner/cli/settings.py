"""What of a command can be set in a file: its options under their names, with values as TOML has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from ...converters.messages import one_line
from ..errors import OptionError

__all__ = ["WITHOUT", "commands_of", "keys_of", "value_of"]

WITHOUT = ("completion", "config", "explain")
"""Commands that nothing is set for."""

NEVER = {"help", "version", "config", "no-config", "debug"}
"""Options that are for one call only."""


def keys_of(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by the names that they have in a file: the longest flag without its dashes."""
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    found = {max(option.opts, key=len).lstrip("-"): option for option in options}
    return {key: option for key, option in found.items() if key not in NEVER}


def commands_of(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and all its sub-commands that can be set something, as far as they are loaded, each with its path."""
    yield path, command
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            if path or name not in WITHOUT:
                yield from commands_of(part, (*path, name))


def value_of(command: click.Command, option: click.Option, value: object, where: str, folder: Path) -> Any:
    """A value from a file as click takes it from a ``default_map``; paths are relative to ``folder``.

    Raises:
        OptionError: its type is wrong, or the command would not take it.
    """
    taken = _plain(option, value, where, folder)
    try:
        with click.Context(command, info_name=command.name) as scratch:
            option.process_value(scratch, taken)
    except click.BadParameter as error:
        raise OptionError(f"{where}: {one_line(error.message.rstrip('.'), 600)}") from None
    return taken


def _plain(option: click.Option, value: object, where: str, folder: Path) -> Any:
    if option.multiple:
        if not isinstance(value, list):
            raise OptionError(f"{where}: expected a list, got {_shown(value)}")
        return [_single(option, item, where, folder) for item in value]
    if isinstance(value, list) and option.type is click.STRING and all(_is_number(item) for item in value):
        return ",".join(map(str, value))  # what takes numbers with commas between them
    return _single(option, value, where, folder)


def _single(option: click.Option, value: object, where: str, folder: Path) -> Any:
    for kind, words, fits in (
        (option.is_flag, "true or false", isinstance(value, bool)),
        (isinstance(option.type, type(click.INT)), "a whole number", _is_number(value, int)),
        (isinstance(option.type, type(click.FLOAT)), "a number", _is_number(value, int, float)),
    ):
        if kind:
            if not fits:
                raise OptionError(f"{where}: expected {words}, got {_shown(value)}")
            return value
    if not isinstance(value, str):
        raise OptionError(f"{where}: expected words in quotes, got {_shown(value)}")
    if isinstance(option.type, click.Path) and value.strip() and "://" not in value:
        return str(folder / Path(value).expanduser())
    return value


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds or (int, float)) and not isinstance(value, bool)


def _shown(value: object) -> str:
    words: Mapping[type, str] = {bool: str(value).lower(), dict: "a table", list: "a list"}
    return words.get(type(value), one_line(repr(value), 60))
