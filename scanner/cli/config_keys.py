"""All settings as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

import rich_click as click

from .settings import commands_of, keys_of
from .trust import Trust, trust_in

__all__ = ["keys_table"]

WORDS = {
    Trust.TAKEN: "yes",
    Trust.TOLD: "yes, and told",
    Trust.INSIDE: "yes, inside its folder, and told",
    Trust.REFUSED: "no",
}


def keys_table(root: click.Command) -> Iterator[str]:
    """A line for each setting: its name, what it takes, the commands that have it, and whether a project may set it."""
    found: dict[str, tuple[click.Option, list[str]]] = {}
    for path, command in commands_of(root):
        for key, option in keys_of(command).items() if path else ():
            found.setdefault(key, (option, []))[1].append(" ".join(path))
    yield "| Setting | Value | Commands | In a project's file |"
    yield "|---|---|---|---|"
    for key, (option, commands) in sorted(found.items()):
        told = ", ".join(sorted(set(commands)))
        yield f"| `{key}` | {_value(option)} | {told} | {WORDS[trust_in(key)]} |"


def _value(option: click.Option) -> str:
    if option.is_flag:
        return "true or false"
    if isinstance(option.type, type(click.INT)):
        one = "whole number"
    elif isinstance(option.type, type(click.FLOAT)):
        one = "number"
    elif isinstance(option.type, click.Path):
        one = "path"
    else:
        one = "word" if isinstance(option.type, click.Choice) else "text"
    return f"list of {one}s" if option.multiple else one
