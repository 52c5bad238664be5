"""What people name on a command line becomes a catalog in which everything is accounted for."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import OnnxrayError
from . import Catalog, Entry, Unscanned
from .archives import models_in_archive
from .folders import Folders
from .formats import source
from .grouping import grouped
from .hashing import hash_all
from .naming import printable, unlike
from .unpacking import is_archive

__all__ = ["inventory"]


def _nobody(line: str) -> None:
    """Tell nobody."""


def inventory(
    paths: Sequence[str],
    *,
    manifest: Path | None = None,
    told: Callable[[str], None] = _nobody,
    cache: Path | None = None,
) -> Catalog:
    """Find and hash everything that these paths name.

    Args:
        paths: files, folders and patterns such as ``models/**/*.onnx``.
        manifest: a catalog.toml or catalog.csv.
        told: called with what is left out on purpose, a line each.
        cache: folder for downloads; None for Hugging Face's own.

    Raises:
        OnnxrayError: a path or a pattern that names nothing.
    """
    folders = Folders(told)
    drafts = list(_once(found for path in paths for found in _named(path, folders)))
    results = [*hash_all(d for d in drafts if isinstance(d, Entry)), *(d for d in drafts if isinstance(d, Unscanned))]
    entries = unlike(grouped(r for r in results if isinstance(r, Entry)))
    return Catalog(tuple(entries), tuple(unlike(r for r in results if isinstance(r, Unscanned))))


def _named(path: str, folders: Folders) -> Iterator[Entry | Unscanned]:
    """What one argument names."""
    for found in _expanded(path):
        place, name = Path(found).absolute(), Path(found).as_posix()
        if place.is_dir():
            yield from folders.walk(place, name)
        elif is_archive(found):
            yield from models_in_archive(place, name, expected=True)
        else:
            yield source(place, name) or Entry(name, place, "", 0)


def _expanded(path: str) -> list[str]:
    if os.path.lexists(path):
        return [path]
    found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []
    if not found:
        what = "this pattern matches nothing" if glob.has_magic(path) else "there is no such file or folder"
        raise OnnxrayError(f"{printable(path)}: {what}; check the path")
    return found


def _once(found: Iterator[Entry | Unscanned]) -> Iterator[Entry | Unscanned]:
    """Without a file that was reached before by another path."""
    seen = set[tuple[str, str, str]]()
    for item in found:
        if isinstance(item, Entry):
            place = (os.path.realpath(item.path.parent), item.path.name, item.member)
            if place in seen:
                continue
            seen.add(place)
        yield item
