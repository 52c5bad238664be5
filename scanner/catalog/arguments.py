"""What one argument of a command line, or one entry of a manifest, names."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import OnnxrayError
from . import Entry, Unscanned
from .archives import models_in_archive
from .folders import Folders
from .formats import source
from .hub import models_on_hub
from .hub_address import is_address
from .naming import printable
from .unpacking import is_archive

__all__ = ["Finder"]


@dataclass(frozen=True)
class Finder:
    """Follows what was named.

    Attributes:
        told: called with what is left out on purpose, a line each.
        cache: folder for downloads; None for Hugging Face's own.
    """

    told: Callable[[str], None]
    cache: Path | None = None

    def models(self, text: str, root: Path | None = None) -> Iterator[Entry | Unscanned]:
        """Models that a path, a pattern or an address names, and what could not be looked at; not hashed yet.

        Args:
            text: as it was written; names begin with it.
            root: folder that relative paths start from; None for the current one.

        Raises:
            OnnxrayError: it names nothing.
        """
        if is_address(text):
            yield from models_on_hub(text, self.cache, self.told)
            return
        for name in _expanded(text, root or Path()):
            path = ((root or Path()) / name).absolute()
            if path.is_dir():
                yield from Folders(self.told).walk(path, Path(name).as_posix())
            elif is_archive(name):
                yield from models_in_archive(path, Path(name).as_posix(), expected=True)
            else:
                yield source(path, Path(name).as_posix()) or Entry(Path(name).as_posix(), path, "", 0)


def _expanded(text: str, root: Path) -> list[str]:
    """The text itself, or what matches it as a pattern, each relative to the root unless absolute."""
    if os.path.lexists(root / text):
        return [text]
    found = sorted(glob.glob(text, root_dir=root, recursive=True)) if glob.has_magic(text) else []
    if not found:
        what = "this pattern matches nothing" if glob.has_magic(text) else "there is no such file or folder"
        raise OnnxrayError(f"{printable(text)}: {what}; check the path")
    return found
