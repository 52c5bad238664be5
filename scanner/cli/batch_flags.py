"""The flags of ``onnxray scan`` that are for many models; any of them makes a batch of even one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from click.core import ParameterSource

from ..registry import names
from .flags import PATH

__all__ = ["DEFAULT_STORE", "EXECUTORS", "asks_for_batch", "batch_flags"]

Command = TypeVar("Command", bound=Callable[..., Any])

EXECUTORS = "onnxray.scanner.executors"
DEFAULT_STORE = Path("onnxray-results.sqlite")
_NAMES = ("store", "manifest", "workers", "executor", "shard", "retry", "listing")


def _shard(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """ "2/8" as (2, 8)."""
    if value is None:
        return None
    part, _, parts = value.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise click.BadParameter(f"expected I/N with I from 1 to N, such as 2/8, got {value!r}")
    return int(part), int(parts)


_batch = partial(click.option, panel="Many models")
_FLAGS = (
    _batch(
        "--store",
        type=PATH,
        metavar="FILE",
        help=f"Where results are kept, and what an earlier run has done is found; {DEFAULT_STORE} if left out.",
    ),
    _batch(
        "--manifest",
        type=PATH,
        metavar="FILE",
        help="A .toml or .csv of models, each with its own data, training data and options.",
    ),
    _batch(
        "--workers", type=click.IntRange(min=1), metavar="N", help="Scans at once; as fits the machine if left out."
    ),
    _batch(
        "--executor",
        type=click.Choice(names(EXECUTORS)),
        metavar="ID",
        is_eager=True,  # before --set
        help=f"Who does the work: {' or '.join(names(EXECUTORS))}. Options: --set ID.OPTION=VALUE.",
    ),
    _batch(
        "--shard",
        callback=_shard,
        metavar="I/N",
        help="Only the I-th of N parts, for several machines; join with results merge.",
    ),
    _batch("--retry", is_flag=True, help="Scan those again that failed before."),
    _batch("--list", "listing", is_flag=True, help="Only say what would be scanned."),
)


def batch_flags(command: Command) -> Command:
    """Where results are kept, who does the work, and which part of it."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def asks_for_batch(context: click.Context) -> bool:
    """Whether a flag was given in this call, not in a file or the environment, that only a batch understands."""
    return any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in _NAMES)
