"""What a file is taken for: ONNX by its suffix, another framework's model by its suffix and first bytes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ...converters.errors import OnnxrayError
from ...converters.limits import NotDownloaded, refuse_pointer
from . import Entry, Unscanned
from .naming import without_path

__all__ = ["AMBIGUOUS", "foreign", "is_onnx", "source"]

AMBIGUOUS = (".json", ".txt")  # mostly no model


def is_onnx(path: Path) -> bool:
    """Whether a file says that it is ONNX."""
    return path.suffix.lower() == ".onnx"


def foreign(path: Path) -> bool:
    """Whether a file found in a folder may be a model of another framework, from its suffix alone."""
    return path.suffix.lower() in _suffixes()


def source(path: Path, name: str) -> Entry | Unscanned | None:
    """A file or folder of another framework; None if it is nothing of the kind."""
    from ...converters.sources import find

    try:
        if path.is_file() and path.suffix.lower() not in AMBIGUOUS:
            _refuse_pointer(path)
        return Entry(name, path, "", 0) if find(path) else None
    except NotDownloaded as error:
        return Unscanned(name, "not-downloaded", str(error))
    except (OnnxrayError, OSError) as error:  # a pickle, or a file that cannot be read
        return Unscanned(name, "unreadable", without_path(error, path))


def _refuse_pointer(path: Path) -> None:
    with path.open("rb") as file:
        refuse_pointer(file.read(100), "expected a model")


@cache
def _suffixes() -> frozenset[str]:
    from ...converters.sources._find import frameworks

    return frozenset(suffix for framework in frameworks().values() for suffix in framework.suffixes)
