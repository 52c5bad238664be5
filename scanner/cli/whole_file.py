"""A file is there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...converters.messages import one_line
from ..errors import OnnxrayError

__all__ = ["write_whole"]


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file in one step, its folder with it; what was there before stays until then.

    Raises:
        OnnxrayError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.writelines(pieces)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OnnxrayError(f"{one_line(path)}: cannot be written: {error.strerror or error}") from None
