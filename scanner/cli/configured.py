"""The files of settings, checked against the commands and made into the defaults of their flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rich_click as click

from ...converters.messages import one_line
from ..closest import did_you_mean
from ..config_files import ConfigFile, Origin
from ..errors import OptionError
from ..policy_file import listed
from ..suppressions import Listed
from .settings import WITHOUT, commands_of, keys_of, value_of
from .trust import check_trust, told

__all__ = [
    "FAMILIES", "SUPPRESS", "Setting", "check_names", "check_table", "default_map", "notes", "settings_for",
    "suppressions_in",
]  # fmt: skip

FAMILIES = ("detectors", "executors", "repairs")
SUPPRESS = "suppress"
Path = tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """One value from a file.

    Attributes:
        key: the option's name.
        option: what it sets.
        value: as click takes it.
        file: where it stands.
        place: its key in that file, with those of the tables around it.
    """

    key: str
    option: click.Option
    value: Any
    file: ConfigFile
    place: str


def check_names(root: click.Group, files: Sequence[ConfigFile], others: Sequence[str]) -> None:
    """Refuse keys that no command has.

    Args:
        root: the whole tool.
        files: all that there are.
        others: commands that are not loaded until they are called; their tables are looked at then.

    Raises:
        OptionError: a key is of no command, or a table where a value belongs; names the file and the key.
    """
    commands = dict(commands_of(root))
    everywhere = {key for path, command in commands.items() if path for key in keys_of(command)}
    for file in files:
        known = {*everywhere, *root.commands, *others, *FAMILIES, SUPPRESS} - {*WITHOUT}
        for key, value in file.table.items():
            if key not in known:
                raise OptionError(f"{_at(file, key)}: there is no such setting{did_you_mean(key, known)}")
            if key in root.commands:
                check_table(root.commands[key], file, (key,), value)
            elif (key in FAMILIES or key in others) != isinstance(value, dict) and key != SUPPRESS:
                wanted = "a value" if isinstance(value, dict) else f"a table [{key}]"
                raise OptionError(f"{_at(file, key)}: expected {wanted}")


def check_table(command: click.Command, file: ConfigFile, path: Path, table: object) -> None:
    """Refuse keys that this command and its sub-commands do not have.

    Raises:
        OptionError: see ``check_names``.
    """
    if not isinstance(table, dict):
        raise OptionError(f"{_at(file, *path)}: expected a table [{'.'.join(path)}]")
    keys, parts = keys_of(command), getattr(command, "commands", {})
    for key, value in table.items():
        if key in parts:
            check_table(parts[key], file, (*path, key), value)
        elif key not in keys:
            hint = did_you_mean(key, [*keys, *parts])
            raise OptionError(f"{_at(file, *path, key)}: onnxray {' '.join(path)} has no such setting{hint}")


def settings_for(
    path: Path, command: click.Command, files: Sequence[ConfigFile], own: bool = True
) -> dict[str, Setting]:
    """What the files set for a command, by key; a later file wins, and in a file the command's own table.

    Args:
        path: the command and those that it is part of.
        command: itself.
        files: in rising order of weight.
        own: whether keys outside all tables hold for it; not for commands of other parts of the tool.

    Raises:
        OptionError: a value does not fit, or a project's file must not set it.
    """
    keys, found = keys_of(command), dict[str, Setting]()
    for file in files:
        tables: list[tuple[Path, Mapping[str, Any]]] = [((), file.table)] if own else []
        table = _inner(file.table, path)
        for at, values in [*tables, (path, table)]:
            for key in (key for key in values if key in keys and not (at == () and isinstance(values[key], dict))):
                found[key] = _setting(command, keys[key], key, values[key], file, at)
    return found


def default_map(path: Path, command: click.Command, files: Sequence[ConfigFile], own: bool = True) -> dict[str, Any]:
    """The defaults of a command and of its sub-commands as click takes them, by the names of their parameters."""
    found = settings_for(path, command, files, own).values()
    defaults: dict[str, Any] = {setting.option.name: setting.value for setting in found if setting.option.name}
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            defaults[name] = default_map((*path, name), part, files, own)
    return defaults


def suppressions_in(files: Sequence[ConfigFile]) -> tuple[Listed, ...]:
    """All that the files accept.

    Raises:
        OptionError: see ``policy_file.listed``.
    """
    return tuple(one for file in files for one in listed(file.table.get(SUPPRESS, []), str(file.path)))


def notes(command: click.Command, found: Mapping[str, Setting], files: Sequence[ConfigFile]) -> Iterator[str]:
    """What a project's file changes in what is found or in what fails: it may not be the user's own."""
    keys = keys_of(command)
    for file in (file for file in files if file.origin is Origin.PROJECT):
        words = [f"{s.place} = {_short(s.value)}" for s in found.values() if s.file is file and told(s.key)]
        if "set" in keys:
            words += [f"[{family}.{name}]" for family in FAMILIES for name in file.table.get(family, {})]
        if "policy" in keys and (accepts := file.table.get(SUPPRESS)):
            words.append(f"{len(accepts)} suppression{'s' if len(accepts) > 1 else ''}")
        if words:
            yield one_line(f"{file.path} sets {', '.join(words)} (--no-config leaves it out)", 600)


def _setting(
    command: click.Command, option: click.Option, key: str, value: object, file: ConfigFile, at: Path
) -> Setting:
    where = _at(file, *at, key)
    try:
        taken = value_of(command, option, value, where, file.folder)
    except OptionError as error:
        hint = "" if at else f" (for onnxray {command.name}; to set it for another command only, use a table [COMMAND])"
        raise OptionError(f"{error}{hint}") from None
    check_trust(file, key, where, taken)
    return Setting(key, option, taken, file, ".".join((*at, key)))


def _inner(table: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for name in path:
        inner = table.get(name, {})
        table = inner if isinstance(inner, dict) else {}
    return table


def _at(file: ConfigFile, *keys: str) -> str:
    return f"{one_line(file.path)}: {one_line('.'.join(keys), 120)}"


def _short(value: object) -> str:
    return one_line(str(value).lower() if isinstance(value, bool) else value, 60)
