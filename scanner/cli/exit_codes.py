"""What the process says when it ends (THREATS 4.1), and the one place where exceptions become exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum

import rich_click as click
from click.exceptions import Exit

__all__ = ["DEBUG", "RANKS", "ExitCode", "exits"]

DEBUG = "onnxray.debug"
"""Key of click's ``Context.meta``: whether an unexpected error shows its traceback."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

RANKS = ("suspicious", "backdoored")
"""Labels that a scan can fail on, in rising order."""


class ExitCode(IntEnum):
    """A batch ends with its worst: 1 beats 2 beats 3 beats 0."""

    PASS = 0
    FOUND = 1
    ERROR = 2
    NOTHING = 3
    USAGE = 4
    INTERRUPTED = 130


@contextmanager
def exits(context: click.Context | None) -> Iterator[None]:
    """Turn what a command raises into this tool's exit codes; click alone would use 2 for usage and 1 for Ctrl-C."""
    try:
        yield
    except click.UsageError as error:
        error.exit_code = ExitCode.USAGE  # type: ignore[misc] # of the class, but click reads the instance
        raise
    except (Exit, click.ClickException):
        raise
    except (KeyboardInterrupt, click.Abort):
        click.echo("onnxray: interrupted", err=True)
        raise Exit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:  # the reader of standard output went away; click alone would end with 1, "found"
        _drop_output()
        raise Exit(ExitCode.ERROR) from None
    except Exception as error:  # noqa: BLE001 - the last line of defence: an exit code and one line, never a traceback
        raise Exit(_tell(error, debug=bool(context and context.meta.get(DEBUG)))) from None


def _drop_output() -> None:
    """Send what is left for standard output nowhere; or the flush at exit raises again."""
    with suppress(OSError, ValueError):  # a stream without a file behind it, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: Exception, debug: bool) -> ExitCode:
    from ...converters.messages import one_line
    from ..errors import OnnxrayError, OptionError

    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, OSError) and error.errno in _FULL:
        _drop_output()
        where = one_line(error.filename) if error.filename else "standard output or a temporary file"
        click.echo(f"onnxray: error: {where} cannot be written: {error.strerror}; make room", err=True)
        return ExitCode.ERROR
    if isinstance(error, OnnxrayError):
        click.echo(f"onnxray: error: {one_line(error, 1000)}", err=True)
        return ExitCode.USAGE if isinstance(error, OptionError) else ExitCode.ERROR
    click.echo(f"onnxray: internal error: {type(error).__name__}: {one_line(error, 500)}", err=True)
    if not debug:
        click.echo("onnxray: this is a fault of onnxray, please report it with what --debug prints", err=True)
    return ExitCode.ERROR
