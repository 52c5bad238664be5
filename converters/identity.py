"""Which model a file is: the sha256 of its bytes and its external data, read as a stream and without any parser."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError
from .external_data import DataMissing, Place, confined, stream_place
from .external_names import externals
from .limits import MAX_BYTES, NotDownloaded, TooLarge, read_file, refuse_pointer, stream_file
from .messages import one_line
from .wire import WireError

__all__ = ["Identity", "data_of", "digest", "identity"]

_MARK = b"location"  # the key without which no tensor has its data elsewhere
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Identity:
    """What ``load`` would say of an ONNX file.

    Attributes:
        sha256: of the file's bytes followed by those of its external data files. Where the file is damaged, or names
            data that it may not have, of its own bytes alone: ``load`` refuses it.
        size_bytes: of all that was hashed.
        own: sha256 of the file's bytes alone.
        data: the files of external data, in order.
    """

    sha256: str
    size_bytes: int
    own: str
    data: tuple[Place, ...] = ()


def identity(path: Path, max_bytes: int = MAX_BYTES) -> Identity:
    """Hash an ONNX file as ``load`` does.

    Raises:
        NotDownloaded: it, or its external data, is a Git LFS pointer.
        DataMissing: a file of external data is not there.
        TooLarge: it is, external data included, larger than a model may be.
        ModelError: it cannot be read, is empty, or visibly something else.
    """
    total, size, marked = hashlib.sha256(), 0, False
    tail = b""
    for chunk in stream_file(path, max_bytes):
        total.update(chunk)
        size += len(chunk)
        marked = marked or _MARK in chunk or _MARK in tail + chunk[: len(_MARK)]
        tail = chunk[-len(_MARK) :]
    own = Identity(total.hexdigest(), size, total.hexdigest())
    if not marked:
        return own
    try:
        places = data_of(path, read_file(path, max_bytes))
        for place in places:
            for chunk in _fetched(place, max_bytes - size):
                total.update(chunk)
                size += len(chunk)
    except (DataMissing, NotDownloaded, TooLarge):
        raise
    except (ModelError, WireError):
        return own
    return Identity(total.hexdigest(), size, own.own, places)


def data_of(path: Path, content: bytes) -> tuple[Place, ...]:
    """The files of a model's external data, each once, in the order in which ``load`` reads them.

    Raises:
        DataMissing: one is not there.
        ModelError: one lies outside the model's folder.
        WireError: the model is damaged.
    """
    found = dict[Path, Place]()
    for external in externals(content):
        location = external.entries.get("location", "")
        where = f"{path}: tensor {one_line(external.tensor)!r} keeps its data in {one_line(location)!r}"
        file = confined(path, location, where)
        found.setdefault(file, Place(location, file, external.entries, where))
    return tuple(found.values())


def digest(path: Path) -> tuple[str, int]:
    """Return sha256 and size of a file, or of all files of a folder in order of name, each after its name."""
    total, size = hashlib.sha256(), 0
    folder = path.is_dir()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if folder else [path]:
        if folder:
            total.update(f"{file.relative_to(path).as_posix()}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                total.update(chunk)
                size += len(chunk)
    return total.hexdigest(), size


def _fetched(place: Place, budget: int) -> Iterator[bytes]:
    """The bytes of a file of external data, unless it stands for one that is still to be fetched."""
    for position, chunk in enumerate(stream_place(place, budget)):
        if position == 0:
            refuse_pointer(chunk, place.where)
        yield chunk
