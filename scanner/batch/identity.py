"""What a report depends on, as digests: contents of files, never their names or dates."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..image_table import named_files
from ..scratch import scratch_folder
from ..stored_preprocessing import CONFIGURATIONS, stored_files

__all__ = ["Contents"]

_TABLES = (".csv", ".parquet")
_ABSENT = "absent"


class Contents:
    """Digests of files and folders, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}
        self._archives: dict[Path, dict[str, str]] = {}

    def of(self, path: Path | None) -> str:
        """Of a file's bytes; of all files in a folder with their names; of a table with the pictures that it names.

        Raises:
            OSError: something cannot be read.
        """
        if path is None:
            return _ABSENT
        path = path.absolute()
        if path not in self._known:
            self._known[path] = _folder(path) if path.is_dir() else _file(path)
        return self._known[path]

    def beside(self, model: Path, member: str = "") -> str:
        """Of the files beside a model, or a member of an archive, that say how its pictures are to be prepared.

        Raises:
            OSError, OnnxrayError: something cannot be read.
        """
        if not member:
            return _together((f.name, _digest(f)) for f in stored_files(model))
        if model not in self._archives:
            self._archives[model] = _configurations(model)
        folder = PurePosixPath(member).parent
        folders = [folder, folder.parent] if folder.name == "onnx" else [folder]
        found = ((name, [self._archives[model].get(str(f / name)) for f in folders]) for name in CONFIGURATIONS)
        return _together((name, next(filter(None, there))) for name, there in found if any(there))


def _file(path: Path) -> str:
    if path.suffix.lower() not in _TABLES:
        return _digest(path)
    return _together([("", _digest(path)), *((str(i), _digest_or_none(f)) for i, f in enumerate(named_files(path)))])


def _configurations(archive: Path) -> dict[str, str]:
    """Place in the archive -> digest, of each file that may say how pictures are to be prepared."""
    from ..catalog.unpacking import opened

    contents = opened(archive)
    places = [place for place in contents.members if PurePosixPath(place).name in CONFIGURATIONS]
    if not places:
        return {}
    with scratch_folder() as folder:
        failed = contents.unpack(places, Path(folder))
        return {place: _digest(Path(folder) / place) for place in places if place not in failed}


def _folder(path: Path) -> str:
    return _together(sorted((str(f.relative_to(path).as_posix()), _digest_or_none(f)) for f in _inside(path)))


def _inside(root: Path) -> Iterator[Path]:
    """Every file that is not hidden; links are followed, once."""
    seen = set[str]()
    for folder, below, names in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(folder))
        below[:] = sorted(
            n for n in below if not n.startswith(".") and os.path.realpath(os.path.join(folder, n)) not in seen
        )
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_or_none(path: Path) -> str:
    """One of many files; what cannot be read is the scan's to complain of, if it needs it."""
    try:
        return _digest(path) if path.is_file() else _ABSENT
    except OSError:
        return _ABSENT


def _together(parts: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(repr(part).encode())
    return whole.hexdigest()
