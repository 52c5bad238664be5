"""The files that settings are read from: the user's, the project's, and those named on the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from ..converters.messages import one_line
from .errors import OptionError
from .toml_file import read_toml

__all__ = ["ConfigFile", "Origin", "layers", "named_file", "project_file"]

OWN = "onnxray.toml"
SHARED = "pyproject.toml"  # in its table [tool.onnxray]


class Origin(IntEnum):
    """Whose file it is, in rising order of weight."""

    USER = 1
    PROJECT = 2  # found from the current folder upward, whoever wrote it
    NAMED = 3  # by --config or ONNXRAY_CONFIG


@dataclass(frozen=True)
class ConfigFile:
    """One file of settings.

    Attributes:
        path: the file.
        origin: whose it is.
        table: its settings, as TOML has them.
    """

    path: Path
    origin: Origin
    table: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """What its relative paths are relative to."""
        return self.path.parent


def layers(user: Path, start: Path, named: Path | None = None) -> tuple[ConfigFile, ...]:
    """All files there are, in rising order of weight.

    Args:
        user: the user's own file, which need not exist.
        start: the folder to look for the project's file from.
        named: another file, which must exist.

    Raises:
        OptionError: a file that is there cannot be read, is no TOML, or belongs to somebody else.
    """
    found = [ConfigFile(user, Origin.USER, read_toml(user))] if os.path.lexists(user) else []
    found += [project] if (project := project_file(start)) is not None else []
    found += [named_file(named)] if named is not None else []
    return tuple(found)


def project_file(start: Path) -> ConfigFile | None:
    """The nearest ``onnxray.toml``, or ``pyproject.toml`` with a table for this tool, up to the repository's root.

    Raises:
        OptionError: it cannot be read, is no TOML, or belongs to neither this user nor the administrator: on a machine
            that people share, anybody can put a file above somebody else's folder.
    """
    for folder in _upward(start):
        if os.path.lexists(own := folder / OWN):
            return ConfigFile(own, Origin.PROJECT, read_toml(_of_ours(own)))
        shared = folder / SHARED
        if os.path.lexists(shared) and _mentions_us(shared):
            table = _table(read_toml(_of_ours(shared)), shared)
            if table is not None:
                return ConfigFile(shared, Origin.PROJECT, table)
    return None


def named_file(path: Path) -> ConfigFile:
    """A file that somebody has named, who is therefore asked for it.

    Raises:
        OptionError: it cannot be read, is no TOML, or is a ``pyproject.toml`` without a table for this tool.
    """
    table: Mapping[str, Any] | None = read_toml(path)
    if path.name == SHARED and table is not None:
        table = _table(table, path)
        if table is None:
            raise OptionError(f"{one_line(path)}: has no table [tool.onnxray]")
    return ConfigFile(path, Origin.NAMED, table or {})


def _upward(start: Path) -> Iterator[Path]:
    for folder in (start, *start.parents):
        yield folder
        if os.path.lexists(folder / ".git"):
            return


def _mentions_us(path: Path) -> bool:
    """Whether there is anything in a shared file for us; one that has nothing is not our matter, however broken."""
    try:
        with path.open("rb") as file:
            return path.is_file() and b"onnxray" in file.read(1 << 20)
    except OSError:
        return False


def _table(whole: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    tools = whole.get("tool")
    table = tools.get("onnxray") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise OptionError(f"{one_line(path)}: tool.onnxray: expected a table")
    return table


def _of_ours(path: Path) -> Path:
    if hasattr(os, "getuid") and path.stat().st_uid not in (os.getuid(), 0):
        raise OptionError(
            f"{one_line(path)}: belongs to another user, so it is not taken by itself; "
            "name it with --config, or leave it out with --no-config"
        )
    return path
