"""What every setting comes to, and from where."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich_click as click

from ...converters.messages import one_line
from ..closest import did_you_mean
from ..config_files import ConfigFile, Origin
from ..policy_file import read_policy
from .configure import config_files, user_file
from .configured import Setting, check_names, check_table, settings_for, suppressions_in
from .methods import check_methods, methods_in
from .policy_flags import policy_settings
from .settings import commands_of, keys_of

__all__ = ["Value", "check_all", "effective", "files_told"]

WHOSE = {Origin.USER: "yours", Origin.PROJECT: "the project's", Origin.NAMED: "given"}
UNSET = (None, (), "")


@dataclass(frozen=True)
class Value:
    """One setting of one command.

    Attributes:
        command: its name, with those that it is part of; () for what belongs to no command.
        key: the setting's name.
        value: as it would be in a file; None where nothing is set.
        origin: "default", "file", "environment" or "flag".
        source: file and key, variable or flag in words.
    """

    command: tuple[str, ...]
    key: str
    value: Any
    origin: str
    source: str

    @property
    def words(self) -> str:
        """The value for a table."""
        if self.value in UNSET or self.value == []:
            return "-"
        if isinstance(self.value, list | tuple):
            return ", ".join(map(str, self.value))
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    def told(self) -> dict[str, object]:
        """For JSON."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        plain = value if isinstance(value, str | int | float | bool | list | None) else str(value)
        return {"command": " ".join(self.command), "key": self.key, "value": plain, "origin": self.origin,
                "source": self.source}  # fmt: skip


def effective(context: click.Context, arguments: Sequence[str]) -> list[Value]:
    """Every setting of a command, or of all.

    Args:
        context: of this call.
        arguments: a command with flags of its; empty for all commands.

    Raises:
        OptionError: a file is wrong.
        click.UsageError: there is no such command, or it has no such flag.
    """
    files, root = config_files(context), context.find_root()
    path, command, rest = _resolved(root, arguments)
    _check(context, files, path, command)
    found = [
        value
        for at, part in commands_of(command, path)
        if at and not _plain_group(part)
        for value in _of(context, at, part, files, rest if at == path else ())
    ]
    return [*found, *_of_methods(files)]


def check_all(context: click.Context) -> None:
    """Try every value of every file for every command.

    Raises:
        OptionError: the first that is wrong.
    """
    files, root = config_files(context), context.find_root().command
    if isinstance(root, click.Group):
        others = [name for name in root.list_commands(context.find_root()) if name not in root.commands]
        check_names(root, files, others)
        for other in others:
            _check(context, files, (other,), root.get_command(context.find_root(), other))
        for path, command in commands_of(root):
            if path:
                settings_for(path, command, files)
    suppressions_in(files)
    methods_in(files)
    check_methods(files)


def files_told(context: click.Context) -> Iterator[str]:
    """Which files are read, in rising order of weight, and where the user's own would be."""
    files = config_files(context)
    if not any(file.origin is Origin.USER for file in files):
        yield f"# {one_line(user_file())} (yours): not there, or not read"
    for file in files:
        yield f"# {one_line(file.path)} ({WHOSE[file.origin]})"


def _resolved(root: click.Context, arguments: Sequence[str]) -> tuple[tuple[str, ...], click.Command, tuple[str, ...]]:
    command, path, rest = root.command, tuple[str, ...](), list(arguments)
    while rest and isinstance(command, click.Group) and not rest[0].startswith("-"):
        inner = command.get_command(root, rest[0])
        if inner is None:
            known = command.list_commands(root)
            raise click.UsageError(f"No such command {rest[0]!r}{did_you_mean(rest[0], known)}")
        command, path = inner, (*path, rest.pop(0))
    return path, command, tuple(rest)


def _check(
    context: click.Context, files: Sequence[ConfigFile], path: tuple[str, ...], command: click.Command | None
) -> None:
    """Refuse keys that are of no command, also in the table of one that is loaded only now."""
    root = context.find_root()
    if isinstance(root.command, click.Group):
        known = root.command.list_commands(root)
        check_names(root.command, files, [name for name in known if name not in root.command.commands])
    methods_in(files)
    check_methods(files)
    for file in files:
        if command is not None and len(path) == 1 and path[0] in file.table:
            check_table(command, file, path, file.table[path[0]])


def _of(
    context: click.Context, path: tuple[str, ...], command: click.Command, files: Sequence[ConfigFile],
    rest: Sequence[str],
) -> Iterator[Value]:  # fmt: skip
    root = context.find_root()
    own = isinstance(root.command, click.Group) and path[0] in root.command.commands
    settings, flags = settings_for(path, command, files, own), _flags(command, rest)
    values = {key: _value(path, key, option, flags, settings) for key, option in keys_of(command).items()}
    yield from {**values, **_of_policy(path, values)}.values()


def _flags(command: click.Command, rest: Sequence[str]) -> Mapping[str, Any]:
    """What flags set, by the names of their parameters."""
    with click.Context(command, info_name=command.name, resilient_parsing=True) as scratch:
        return dict(command.make_parser(scratch).parse_args(list(rest))[0]) if rest else {}


def _value(
    path: tuple[str, ...], key: str, option: click.Option, flags: Mapping[str, Any], settings: Mapping[str, Setting]
) -> Value:
    variable = f"ONNXRAY_{'_'.join(path)}_{option.name}".upper().replace("-", "_")
    if option.name in flags:
        return Value(path, key, flags[option.name], "flag", "flag " + max(option.opts, key=len))
    if os.environ.get(variable):
        return Value(path, key, os.environ[variable], "environment", f"environment {variable}")
    if key in settings:
        setting = settings[key]
        return Value(path, key, setting.value, "file", f"{setting.file.path}: {setting.place}")
    default = option.to_info_dict()["default"]
    return Value(path, key, None if default in UNSET else default, "default", "default")


def _of_policy(path: tuple[str, ...], values: Mapping[str, Value]) -> dict[str, Value]:
    """What the policy file sets, which wins over configurations."""
    file = values["policy"].value if "policy" in values else None
    if not file:
        return {}
    policy = read_policy(Path(file))
    set_there = {
        key: Value(path, key, value, "file", f"{file}: {key}")
        for key, value in policy_settings(policy.settings, values).items()
        if key in values and values[key].origin in ("default", "file")
    }
    accepted = {
        one.where: Value(path, f"suppress {one.code}", one.model, "file", one.where) for one in policy.suppressions
    }
    return {**set_there, **accepted}


def _of_methods(files: Sequence[ConfigFile]) -> Iterator[Value]:
    """Options of methods, and how much is accepted."""
    last: dict[tuple[str, str, str], Value] = {}
    for file in files:
        for family, methods in methods_in([file]).items():
            for name, options in methods.items():
                for key, value in options.items():
                    place = f"{family}.{name}.{key}"
                    last[family, name, key] = Value((), place, value, "file", f"{file.path}: {place}")
    yield from last.values()
    for one in suppressions_in(files):
        yield Value((), f"suppress {one.code}", one.model, "file", one.where)


def _plain_group(command: click.Command) -> bool:
    return isinstance(command, click.Group) and not keys_of(command)
