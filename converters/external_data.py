"""Weights kept in files beside the model: read by us, from inside the model's own folder only.

An ONNX file may name any path for them; libraries have followed absolute paths, `..` and symbolic links out of the
folder (CVE-2022-25882, CVE-2024-27318, CVE-2026-27489). Here the bytes go into the message itself, so that no later
parser opens a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from .errors import ModelError
from .messages import one_line

if TYPE_CHECKING:
    from onnx import TensorProto

__all__ = ["inline"]

_EXTERNAL = 1  # TensorProto.EXTERNAL


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
        if tensor.data_location != _EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        where = f"{model}: tensor {one_line(tensor.name)!r} keeps its data in {one_line(location)!r}"
        file = _confined(model, location, where)
        if file not in files:
            files[file] = _read(file, where, budget - sum(map(len, files.values())))
            digest.update(files[file])
        tensor.raw_data = _slice(files[file], entries, where)
        del tensor.external_data[:]
        tensor.ClearField("data_location")
    return sum(map(len, files.values()))


def _confined(model: Path, location: str, where: str) -> Path:
    """Resolve the location, links included, and refuse it unless it ends where the model lives."""
    names = PureWindowsPath(location), PurePosixPath(location)
    if not location or not location.isprintable() or any(p.anchor or ".." in p.parts for p in names):
        raise ModelError(f"{where}, expected a relative path inside the model's folder; do not trust this file")
    folder = model.absolute().parent
    try:
        file = (folder / location).resolve(strict=True)
    except (OSError, RuntimeError):
        raise ModelError(f"{where}, which does not exist; put that file beside the model") from None
    if not any(file.is_relative_to(root.resolve()) for root in (folder, *_blobs(folder))):
        raise ModelError(f"{where}, a link to a file outside the model's folder; do not trust this file")
    return file


def _blobs(folder: Path) -> list[Path]:
    """The store of a Hugging Face cache: REPOSITORY/snapshots/REVISION/... links into REPOSITORY/blobs."""
    return [p.parent / "blobs" for p in (folder, *folder.parents) if p.name == "snapshots"][:1]


def _read(file: Path, where: str, budget: int) -> bytes:
    if not file.is_file():
        raise ModelError(f"{where}, expected a regular file")
    if (size := file.stat().st_size) > budget:
        raise ModelError(f"{where}, {size} bytes, over the size limit by {size - budget}; raise the limit")
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"{where}, which cannot be read ({error.strerror})") from None


def _slice(content: bytes, entries: dict[str, str], where: str) -> bytes:
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or len(content) - offset)
    except ValueError:
        raise ModelError(f"{where}, expected whole numbers for offset and length; export the model again") from None
    if offset < 0 or length < 0 or offset + length > len(content):
        raise ModelError(f"{where}, bytes {offset} to {offset + length}, but it has {len(content)}; download it again")
    return content[offset : offset + length]
