"""Which files an audit of these paths is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..converters.messages import one_line
from .errors import OnnxrayError

__all__ = ["models_in"]


def models_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Each file itself, and of each folder every ``.onnx`` file in it, each once, in order.

    Raises:
        OnnxrayError: a path that does not exist.
    """
    seen = set[Path]()
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise OnnxrayError(f"{one_line(path)}: there is no such file or folder; check the path")
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".onnx" and p.is_file())
        for file in inside if path.is_dir() else [path]:
            if file not in seen:
                seen.add(file)
                yield file
