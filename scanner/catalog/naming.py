"""What entries are called: fit for a terminal, and no two alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ...converters.messages import one_line
from . import Entry, Unscanned

__all__ = ["printable", "unlike", "without_path"]

Item = TypeVar("Item", Entry, Unscanned)
_LONGEST = 1000


def printable(name: str) -> str:
    """The name on one line, without what would steer a terminal or cannot be written as UTF-8."""
    return name if name.isprintable() else one_line(name, _LONGEST)


def unlike(items: Iterable[Item]) -> Iterator[Item]:
    """The items in order of name, with a number behind those names that another one has already."""
    taken = set[str]()
    for item in sorted(items, key=lambda item: item.name):
        name, number = printable(item.name), 1
        while name in taken:
            number += 1
            name = f"{printable(item.name)} ({number})"
        taken.add(name)
        yield item if name == item.name else replace(item, name=name)


def without_path(error: BaseException, path: Path) -> str:
    """An error's message without the file's name in front of it, which the catalog has already."""
    if isinstance(error, OSError) and error.strerror:
        return one_line(f"cannot be read ({error.strerror})")
    return one_line(str(error).removeprefix(f"{path}: "))
