"""Weights kept in files beside the model: read by us, from inside the model's own folder only.

An ONNX file may name any path for them; libraries have followed absolute paths, `..` and symbolic links out of the
folder (CVE-2022-25882, CVE-2024-27318, CVE-2026-27489). Here the bytes go into the message itself, so that no later
parser opens a file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING

from .errors import ModelError
from .limits import TooLarge
from .messages import one_line

if TYPE_CHECKING:
    from onnx import TensorProto

__all__ = ["DataMissing", "Place", "confined", "inline", "place_of", "read_place", "read_range", "stream_place"]

_EXTERNAL = 1  # TensorProto.EXTERNAL
_BINARY = getattr(os, "O_BINARY", 0)  # of Windows
_CHUNK = 1 << 20


class DataMissing(ModelError):  # noqa: N818  (reads better where it is caught)
    """A file of external data is not there."""


@dataclass(frozen=True)
class Place:
    """Where a tensor's external data lies.

    Attributes:
        location: as the tensor gives it, relative to the model's folder.
        file: the same with all links resolved.
        entries: the tensor's external_data.
        where: the tensor and its file in words, for messages.
    """

    location: str
    file: Path
    entries: dict[str, str]
    where: str

    def span(self, size: int) -> tuple[int, int]:
        """First byte and the one behind the last, in a file of this size.

        Raises:
            ModelError: the file is shorter, or they are no whole numbers.
        """
        try:
            offset = int(self.entries.get("offset") or 0)
            length = int(self.entries.get("length") or size - offset)
        except ValueError:
            message = f"{self.where}, expected whole numbers for offset and length; export the model again"
            raise ModelError(message) from None
        if offset < 0 or length < 0 or offset + length > size:
            raise ModelError(f"{self.where}, bytes {offset} to {offset + length}, but it has {size}; download it again")
        return offset, offset + length


def place_of(model: Path, tensor: TensorProto) -> Place | None:
    """Where a tensor's data lies; None if it is in the model file.

    Raises:
        ModelError: outside the model's folder, or missing.
    """
    if tensor.data_location != _EXTERNAL:
        return None
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    where = f"{model}: tensor {one_line(tensor.name)!r} keeps its data in {one_line(location)!r}"
    return Place(location, confined(model, location, where), entries, where)


def inline(model: Path, tensors: Iterable[TensorProto], digest: hashlib._Hash, budget: int) -> int:
    """Put the external bytes of every tensor into the tensor and the bytes of each file, in order, into `digest`.

    Returns:
        The size of all files read, in bytes.

    Raises:
        ModelError: naming the tensor and its file, when the file lies outside the model's folder, is missing, is
            shorter than the tensor says, or is over the budget (in bytes).
    """
    files: dict[Path, bytes] = {}
    for tensor in tensors:
        if (place := place_of(model, tensor)) is None:
            continue
        if place.file not in files:
            files[place.file] = read_place(place, budget - sum(map(len, files.values())))
            digest.update(files[place.file])
        start, end = place.span(len(files[place.file]))
        tensor.raw_data = files[place.file][start:end]
        del tensor.external_data[:]
        tensor.ClearField("data_location")
    return sum(map(len, files.values()))


def read_place(place: Place, budget: int) -> bytes:
    """Read the whole file that a place is in.

    Raises:
        ModelError: it is over the budget (in bytes), no regular file, or cannot be read.
    """
    if not place.file.is_file():
        raise ModelError(f"{place.where}, expected a regular file")
    try:
        with _opened(place.file) as file:
            size = _require_own(place, os.fstat(file.fileno()), budget)
            content = file.read(size + 1)
    except OSError as error:
        raise ModelError(f"{place.where}, which cannot be read ({error.strerror})") from None
    if len(content) > size:
        raise ModelError(f"{place.where}, which grew while it was read")
    return content


def stream_place(place: Place, budget: int) -> Iterator[bytes]:
    """The whole file that a place is in, a piece at a time, with the checks of ``read_place``.

    Raises:
        ModelError: as ``read_place``.
    """
    if not place.file.is_file():
        raise ModelError(f"{place.where}, expected a regular file")
    try:
        with _opened(place.file) as file:
            left = _require_own(place, os.fstat(file.fileno()), budget)
            while chunk := file.read(_CHUNK):
                if (left := left - len(chunk)) < 0:
                    raise ModelError(f"{place.where}, which grew while it was read")
                yield chunk
    except OSError as error:
        raise ModelError(f"{place.where}, which cannot be read ({error.strerror})") from None


def read_range(file: Path, start: int, end: int) -> bytes:
    """Some bytes of a file that ``confined`` has resolved.

    Raises:
        OSError: it cannot be read.
    """
    with _opened(file) as opened:
        opened.seek(start)
        return opened.read(end - start)


def _opened(file: Path) -> IO[bytes]:
    """Neither a link put there since the path was resolved nor a pipe, which would block, is opened."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY
    return os.fdopen(os.open(file, flags), "rb")


def _require_own(place: Place, status: os.stat_result, budget: int) -> int:
    """The size of the file; refuses what is no file of the model's own."""
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{place.where}, expected a regular file")
    if status.st_nlink > 1:  # an unpacked archive can name any file of this disk so (CVE-2026-34446)
        raise ModelError(f"{place.where}, a file with {status.st_nlink} names (hard links); copy it if that is meant")
    if (size := status.st_size) > budget:
        raise TooLarge(f"{place.where}, {size} bytes, over the size limit by {size - budget}; raise the limit")
    return size


def confined(model: Path, location: str, where: str) -> Path:
    """Resolve a location, links included, and refuse it unless it ends where the model lives.

    Args:
        model: the model file.
        location: as a tensor gives it.
        where: the tensor and its file in words, for messages.

    Raises:
        DataMissing: there is no such file.
        ModelError: it lies outside the model's folder.
    """
    names = PureWindowsPath(location), PurePosixPath(location)
    if not location or not location.isprintable() or any(p.anchor or ".." in p.parts for p in names):
        raise ModelError(f"{where}, expected a relative path inside the model's folder; do not trust this file")
    folder = model.absolute().parent
    try:
        file = (folder / location).resolve(strict=True)
    except (OSError, RuntimeError):
        raise DataMissing(f"{where}, which does not exist; put that file beside the model") from None
    if not any(file.is_relative_to(root.resolve()) for root in (folder, *_blobs(folder))):
        raise ModelError(f"{where}, a link to a file outside the model's folder; do not trust this file")
    return file


def _blobs(folder: Path) -> list[Path]:
    """The store of a Hugging Face cache: REPOSITORY/snapshots/REVISION/... links into REPOSITORY/blobs."""
    return [p.parent / "blobs" for p in (folder, *folder.parents) if p.name == "snapshots"][:1]
