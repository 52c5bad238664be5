"""What lies in a folder, however deep: models, archives, and what could not be looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import Entry, Unscanned
from .archives import models_in_archive
from .formats import foreign, is_onnx, source
from .hub_cache import is_repository, snapshots
from .naming import without_path
from .unpacking import is_archive

__all__ = ["Folders"]

Identity = tuple[int, int]
_MANIFESTS = ("catalog.toml", "catalog.csv", "ONNX_HUB_MANIFEST.json")


class _Loop(Exception):  # noqa: N818
    """A folder that leads back into itself."""


@dataclass(frozen=True)
class _Place:
    """A folder, what it is called, and the folders that it was reached through."""

    path: Path
    name: str
    above: frozenset[Identity] = frozenset()


@dataclass
class Folders:
    """Folders walked for one catalog; each is looked at once, by whatever way it is reached.

    Attributes:
        told: called with what is left out on purpose, a line each.
        seen: the folders walked so far.
    """

    told: Callable[[str], None]
    seen: set[Identity] = field(default_factory=set)

    def walk(self, root: Path, name: str) -> Iterator[Entry | Unscanned]:
        """Everything in a folder and below it, not hashed yet but for archives; links are followed, loops named."""
        waiting = [_Place(root, name)]
        while waiting:
            place = waiting.pop()
            try:
                files, below = self._entered(place)
            except _Loop:
                yield Unscanned(place.name, "loop", "this folder leads back into itself; remove the link")
            except OSError as error:
                yield Unscanned(place.name, "unreadable", without_path(error, place.path))
            else:
                waiting += below
                yield from self._models(place, files, below)

    def _entered(self, place: _Place) -> tuple[list[Path], list[_Place]]:
        """Files and folders of a folder that was not seen before."""
        status = os.stat(place.path)
        own = (status.st_dev, status.st_ino)
        if own in place.above or _leads_up(place.path):
            raise _Loop
        if own in self.seen:
            return [], []
        self.seen.add(own)
        if is_repository(place.path):
            return [], [self._below(place, own, path) for path in self._snapshots(place)]
        with os.scandir(place.path) as found:
            inside = sorted((Path(entry.path), _is_folder(entry)) for entry in found)
        files = [path for path, is_folder in inside if not is_folder]
        return files, [self._below(place, own, path) for path, is_folder in inside if is_folder]

    def _below(self, place: _Place, own: Identity, path: Path) -> _Place:
        return _Place(path, f"{place.name}/{path.relative_to(place.path).as_posix()}", place.above | {own})

    def _snapshots(self, place: _Place) -> list[Path]:
        chosen, others = snapshots(place.path)
        if others:
            self.told(f"{place.name}: {others} snapshots that no branch points at are left out; name one to scan it")
        return chosen

    def _models(self, place: _Place, files: list[Path], below: list[_Place]) -> Iterator[Entry | Unscanned]:
        if folder := source(place.path, place.name):  # a format that is a folder
            yield folder
            return
        exported = {path.stem.lower() for path in files if is_onnx(path)}
        covered = any(p.path.name == "onnx" and _holds_onnx(p.path) for p in below)
        for path in files:
            name = f"{place.name}/{path.name}"
            if is_onnx(path):
                yield Entry(name, path, "", 0)
            elif path.name in _MANIFESTS:
                self.told(f"{name}: a manifest in a scanned folder is not followed; name it, or give it to --manifest")
            elif is_archive(path.name):
                yield from models_in_archive(path, name)
            elif foreign(path) and (found := source(path, name)):
                if covered or path.stem.lower() in exported:
                    self.told(f"{name}: left out, as the .onnx beside it was made of it; name it to scan it")
                else:
                    yield found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a circle of links: no folder, and told when it is read
        return False


def _leads_up(folder: Path) -> bool:
    """Whether a link leads to a folder that it lies in."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _holds_onnx(folder: Path) -> bool:
    try:
        return any(is_onnx(Path(name)) for name in os.listdir(folder))
    except OSError:
        return False
