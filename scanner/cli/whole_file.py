"""What the command line writes is there as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...converters.messages import one_line
from ...converters.whole_file import replace_file
from ..errors import OnnxrayError

__all__ = ["write_whole"]


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file in one step, its folder with it; what was there before stays until then.

    Raises:
        OnnxrayError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, pieces)
    except OSError as error:
        raise OnnxrayError(f"{one_line(path)}: cannot be written: {error.strerror or error}") from None
