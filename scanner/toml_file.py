"""Reading a TOML file that somebody else may have written: no more than a limit, and one line for whatever is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from stat import S_ISREG
from typing import Any

from ..converters.messages import one_line
from .errors import OptionError

__all__ = ["LARGEST", "read_toml"]

LARGEST = 1 << 20
"""Bytes; a configuration that is larger is none."""


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file.

    Raises:
        OptionError: the file cannot be read, is no file, is larger than ``LARGEST``, or is no TOML in UTF-8.
    """
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe would never end
            raise OptionError(f"{one_line(path)}: expected a TOML file, got something that is no file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OptionError(f"{one_line(path)}: cannot be read: {one_line(why)}") from None
    if len(content) > LARGEST:
        raise OptionError(f"{one_line(path)}: larger than {LARGEST >> 20} MiB, which no configuration is")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OptionError(f"{one_line(path)}: no TOML: {one_line(error)}") from None
