"""The flags of the sandbox that a scan runs in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import rich_click as click

__all__ = ["notes", "sandbox_flags"]

Command = TypeVar("Command", bound=Callable[..., Any])
_GIB = 1 << 30


def _bytes(context: click.Context, parameter: click.Parameter, value: float | None) -> int:
    if value is not None and not 0 < value < 1e9:
        raise click.BadParameter(f"expected a number of GiB above 0, got {value}")
    return int((value or 0) * _GIB)


_sandbox = partial(click.option, panel="Sandbox")
_FLAGS = (
    _sandbox(
        "--max-memory",
        type=float,
        callback=_bytes,
        metavar="GIB",
        help="What a scan's process may use, each of many; three quarters of the machine's memory if left out.",
    ),
    _sandbox(
        "--no-sandbox",
        is_flag=True,
        help="Open and run the model in this process, for debugging: a file made to do harm can then do it.",
    ),
)


def sandbox_flags(command: Command) -> Command:
    """Where the model is opened and run."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def notes(quiet: bool) -> Callable[[str], None]:
    """Where the lines go that the confined process writes on standard error."""
    return (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
