"""Suppressions as people write them: ``[[suppress]]`` in a policy file or in a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ..converters.messages import one_line
from .closest import did_you_mean
from .errors import OptionError
from .suppressions import EVERYTHING, Listed, is_hash
from .toml_file import read_toml

__all__ = ["PolicyFile", "listed", "read_policy"]

KEYS = ("code", "model", "reason", "expires")
SETTINGS = ("fail-on", "fail-on-finding", "allow-inconclusive")
"""Flags that a policy file may set, too."""


@dataclass(frozen=True)
class PolicyFile:
    """What a policy file says: flags by their names, as plain values, and suppressions."""

    settings: Mapping[str, object] = field(default_factory=dict)
    suppressions: tuple[Listed, ...] = ()


def read_policy(path: Path) -> PolicyFile:
    """What a policy file says.

    Raises:
        OptionError: it cannot be read, or says something that no policy says.
    """
    table = read_toml(path)
    known = (*SETTINGS, "suppress")
    for key in table:
        if key not in known:
            there = f"a policy has {', '.join(known)}"
            raise OptionError(f"{one_line(path)}: {one_line(key)}: {there}{did_you_mean(key, known)}")
    settings = {key: value for key, value in table.items() if key in SETTINGS}
    return PolicyFile(settings, listed(table.get("suppress", []), str(path)))


def listed(tables: object, where: str) -> tuple[Listed, ...]:
    """The suppressions of a file, in order.

    Args:
        tables: the value of its key ``suppress``.
        where: the file, for messages.

    Raises:
        OptionError: a key is unknown, missing, empty or of a wrong type, or everything would be accepted.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise OptionError(f"{one_line(where)}: suppress: expected tables under [[suppress]]")
    return tuple(_listed(table, f"{one_line(where)}, suppression {n}") for n, table in enumerate(tables, 1))


def _listed(table: Mapping[str, Any], where: str) -> Listed:
    for key in table:
        if key not in KEYS:
            there = f"a suppression has {', '.join(KEYS)}"
            raise OptionError(f"{where}: {one_line(key)}: {there}{did_you_mean(key, KEYS)}")
    code, model, reason = (_words(table, key, where) for key in ("code", "model", "reason"))
    if code == EVERYTHING and not is_hash(model):
        raise OptionError(
            f"{where}: a name can stand for any bytes: to accept whatever is found give the model's sha256"
        )
    return Listed(code, model, reason, _day(table.get("expires"), where), where)


def _words(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        got = "nothing" if value in (None, "") else one_line(repr(value), 60)
        raise OptionError(f"{where}: {key}: expected some words, got {got}")
    return value.strip()


def _day(value: object, where: str) -> date | None:
    """A day, as TOML has them or in quotes."""
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise OptionError(f"{where}: expires: expected a day such as 2027-06-30, got {one_line(value, 60)}") from None
