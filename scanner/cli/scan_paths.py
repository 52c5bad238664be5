"""One model or many: what the paths of ``onnxray scan`` mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ...converters.messages import one_line
from ..errors import OnnxrayError

__all__ = ["existing", "one_model"]

_CONTAINERS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".json", ".toml", ".csv")
"""Files that hold or list models, unless a framework says that one of them is its own."""


def one_model(paths: Sequence[str]) -> Path | None:
    """The model that is meant by a single path: a file, a folder of another framework, or the only one in a folder.

    None where there are, or may be, many: several paths, a folder with several, an archive, a hub, a pattern.

    Raises:
        OnnxrayError: there is no such file; or it is a pickle.
    """
    if len(paths) != 1 or "://" in paths[0]:
        return None
    path = Path(paths[0])
    if not os.path.exists(path):  # unlike Path.exists, silent about names that are too long
        return None if any(c in paths[0] for c in "*?[") else existing(path)
    if not path.is_dir() and not path.name.lower().endswith(_CONTAINERS):
        return path
    from ...converters.sources import find

    if find(path):
        return path
    return _only_model(path) if path.is_dir() else None


def _only_model(folder: Path) -> Path | None:
    """The only model in a folder in which nothing else may hold models, either."""
    held = (p for p in folder.rglob("*") if p.name.lower().endswith((".onnx", *_CONTAINERS[:7])) and p.is_file())
    found = list(islice(held, 2))
    return found[0] if len(found) == 1 and found[0].suffix.lower() == ".onnx" else None


def existing(path: Path) -> Path:
    """The path itself.

    Raises:
        OnnxrayError: there is nothing at it.
    """
    if not os.path.exists(path):
        raise OnnxrayError(f"{one_line(path)}: there is no such file or folder; check the path")
    return path
