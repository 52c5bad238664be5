"""The files of a job, where a node of a Ray cluster sees them, and where it does not and is sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ...converters.errors import ModelError
from ..errors import ClusterError
from ..image_table import named_files
from ..stored_preprocessing import stored_files

if TYPE_CHECKING:
    from ..batch.identity import Contents
    from ..jobs import Job

__all__ = ["MOST_BYTES", "Lacking", "Parcel", "files_of", "lacking", "marks", "pack", "placed", "unpack"]

MOST_BYTES = 4 << 30  # that are sent for one field of a job; what is larger belongs on a shared file system


@dataclass(frozen=True)
class Lacking:
    """A node's answer that it cannot do the job without these fields' files."""

    node: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Parcel:
    """A file with those that belong to it, or a folder.

    Attributes:
        name: of the file, relative to the folder that all is sent in; "." for a folder.
        files: each file's name in that folder, with its content.
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


def marks(job: Job, contents: Contents) -> dict[str, str]:
    """What each file of a job is known by on every machine, by field; "" where it cannot be read here.

    Of a model its size, as its scan checks the sha256 anyway; of pictures the digest that the job's key is made with.
    """
    return {field: _mark(field, path, contents) for field, path in files_of(job).items()}


def _mark(field: str, path: Path, contents: Contents) -> str:
    try:
        return str(path.stat().st_size) if field == "path" else contents.of(path)
    except OSError:
        return ""


def lacking(job: Job, expected: Mapping[str, str], contents: Contents) -> set[str]:
    """The fields whose files this machine does not have, or has otherwise than expected."""
    return {field for field, here in marks(job, contents).items() if not here or here != expected[field]}


def pack(job: Job, field: str) -> Parcel:
    """What a node needs that lacks this field's files.

    Raises:
        ClusterError: it is too much to send, names files elsewhere, or cannot be read.
    """
    path = files_of(job)[field]
    root = path if path.is_dir() else _root(path) if field == "path" else path.parent
    try:
        found = {_below(root, file): file for file in _belonging(job, field, path)}
        if (size := sum(file.stat().st_size for file in found.values())) > MOST_BYTES:
            raise ClusterError(f"{path}: {size} bytes are too many to send to a node; put it where every node sees it")
        return Parcel(_below(root, path), tuple((name, file.read_bytes()) for name, file in found.items()))
    except OSError as error:
        raise ClusterError(f"{path}: cannot be read to be sent to a node ({error.strerror})") from None


def _root(model: Path) -> Path:
    """The folder to send, as a model in a folder "onnx" is prepared for by files beside that folder."""
    return model.parent.parent if model.parent.name == "onnx" else model.parent


def _below(root: Path, file: Path) -> str:
    try:
        return file.relative_to(root).as_posix()
    except ValueError:
        raise ClusterError(f"{file}: outside {root}, so it is not sent; put it where every node sees it") from None


def _belonging(job: Job, field: str, path: Path) -> Iterator[Path]:
    """A folder's files; a file, with what a scan reads beside it."""
    if path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())
        return
    yield path
    if field != "path":
        yield from (file for file in named_files(path) if file.is_file())
    elif not job.member:
        yield from stored_files(path)
        yield from _external(path)


def _external(model: Path) -> set[Path]:
    """The files of external data beside a model; none for what cannot be read, as its scan will tell."""
    from ...converters.identity import data_of
    from ...converters.limits import MAX_BYTES, read_file
    from ...converters.wire import WireError

    try:
        return {model.parent / place.location for place in data_of(model, read_file(model, MAX_BYTES))}
    except (ModelError, WireError):
        return set()


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
    return folder / parcel.name
