"""The files of a job, where a node of a Ray cluster sees them, and where it does not and is sent them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ...converters.errors import ModelError
from ..errors import ClusterError

if TYPE_CHECKING:
    from ..jobs import Job

__all__ = ["MOST_BYTES", "Lacking", "Parcel", "files_of", "lacking", "mark", "pack", "placed", "unpack"]

MOST_BYTES = 4 << 30  # that are sent for one field of a job; what is larger belongs on a shared file system
_TABLES = (".csv", ".parquet")  # these may name pictures anywhere


@dataclass(frozen=True)
class Lacking:
    """A node's answer that it cannot do the job without these fields' files."""

    node: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Parcel:
    """A file with those that belong to it, or a folder.

    Attributes:
        name: of the file; "" for a folder.
        files: name relative to the folder, with its content.
    """

    name: str
    files: tuple[tuple[str, bytes], ...]


def files_of(job: Job) -> dict[str, Path]:
    """Each field of a job, or of its options, that names a file or a folder."""
    named = {
        "path": job.path,
        "data": job.data,
        "training_data": job.training_data,
        "calibration": job.options.calibration,
    }
    return {field: path for field, path in named.items() if path is not None}


def placed(job: Job, where: Mapping[str, Path]) -> Job:
    """The job with its files at other places."""
    own = {field: path for field, path in where.items() if field != "calibration"}
    options = replace(job.options, calibration=where["calibration"]) if "calibration" in where else job.options
    return replace(job, options=options, **own)  # type: ignore[arg-type]


def mark(field: str, path: Path) -> str:
    """What a file is known by on every machine; "" if it cannot be read here.

    Of a model its size, as every scan checks its sha256 anyway; of pictures a sha256 of all their bytes.
    """
    try:
        status = path.stat()
        return str(status.st_size) if field == "path" else _digest(path, status.st_mtime_ns)
    except OSError:
        return ""


def lacking(job: Job, marks: Mapping[str, str]) -> set[str]:
    """The fields whose files this machine does not have, or has otherwise than ``marks`` says."""
    return {field for field, path in files_of(job).items() if (here := mark(field, path)) != marks[field] or not here}


@lru_cache(maxsize=64)
def _digest(path: Path, _changed: int) -> str:
    digest = hashlib.sha256()
    for name, file in _contents(path):
        digest.update(f"{name}\0{file.stat().st_size}\0".encode("utf-8", "surrogateescape"))
        with file.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _contents(path: Path) -> Iterator[tuple[str, Path]]:
    """The files of a folder by relative name, in order; a file is the only one of itself, without a name."""
    if not path.is_dir():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


def pack(job: Job, field: str) -> Parcel:
    """What a node needs that lacks this field's files.

    Raises:
        ClusterError: it is too much to send, names further files, or cannot be read.
    """
    path = files_of(job)[field]
    if field != "path" and path.suffix.lower() in _TABLES:
        raise ClusterError(f"{path}: a table of pictures is not sent to a node; put it where every node sees it")
    folder = path.is_dir()
    files = list(_contents(path)) if folder else [(path.name, path)]
    if field == "path" and not job.member:
        files += _external(path)
    try:
        if (size := sum(file.stat().st_size for _, file in files)) > MOST_BYTES:
            raise ClusterError(f"{path}: {size} bytes are too many to send to a node; put it where every node sees it")
        return Parcel("" if folder else path.name, tuple((name, file.read_bytes()) for name, file in files))
    except OSError as error:
        raise ClusterError(f"{path}: cannot be read to be sent to a node ({error.strerror})") from None


def _external(model: Path) -> list[tuple[str, Path]]:
    """The files of external data beside a model; none for what cannot be read, as its scan will tell."""
    from ...converters.external_data import confined
    from ...converters.limits import MAX_BYTES, read_file
    from ...converters.survey import survey

    found: dict[str, Path] = {}
    try:
        for tensor in survey(model, read_file(model, MAX_BYTES)).tensors:
            if tensor.small_integer("data_location") == 1:
                entries = {m.text("key"): m.text("value") for m in tensor.messages("external_data")}
                location = entries.get("location", "")
                found[PurePath(location).as_posix()] = confined(model, location, str(model))
    except ModelError:
        return []
    return list(found.items())


def unpack(parcel: Parcel, folder: Path) -> Path:
    """Write a parcel into a folder, which is made for it, and return the path of what it is.

    Raises:
        ClusterError: a name would lead out of the folder.
    """
    folder.mkdir()
    for name, content in parcel.files:
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise ClusterError(f"a file sent to this node is called {name!r}, which leads out of its folder")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder / parcel.name if parcel.name else folder
