"""A file is there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex

__all__ = ["replace_file"]


def replace_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file in one step; what was there before stays until then, also where the power fails.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    temporary = path.with_name(f".{path.name[:50]}.{token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
