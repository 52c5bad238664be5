"""A source opened as if it were ONNX: converted in a folder that is gone afterwards."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..load import load

if TYPE_CHECKING:
    from ..load import Source

__all__ = ["load_source"]


def load_source(path: Path, max_bytes: int) -> Source:
    """Read a model file of any format that is accepted.

    Returns:
        As `load.load`; for a file that was converted, path, sha256 and size are those of the file itself, content and
        message those of its conversion, of which `converted` tells.

    Raises:
        ModelError: see `load.load`.
        Refused, MissingExtra: see `sources.convert`.
    """
    if path.suffix.lower() == ".onnx":
        return load(path, max_bytes)
    from ._find import find

    if find(path) is None:
        return load(path, max_bytes)
    from ._driver import convert, digest

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.onnx"
        summary = convert(path, out)
        source = load(out, max_bytes)
    sha256, size = digest(path)
    return replace(source, path=path, sha256=sha256, size_bytes=size, converted=summary.told())
