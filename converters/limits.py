"""What a file must be before any parser sees it: a regular, not too large file that is no known other format."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .errors import ModelError

__all__ = ["MAX_BYTES", "NotDownloaded", "TooLarge", "read_file", "refuse_pointer", "stream_file"]

MAX_BYTES = 2**31 - 1  # a protobuf message cannot be larger

_CHUNK = 1 << 20
_POINTER = b"version https://git-lfs"
_EXPORT = "export the model to ONNX first"
_FOREIGN = (  # (offset, first bytes, what it is, what to do)
    (0, b"PK\x03\x04", "a zip archive (a PyTorch or Keras checkpoint?)", f"unpack it, or {_EXPORT}"),
    (0, b"\x80\x02", "a Python pickle (a PyTorch checkpoint?)", _EXPORT),
    (0, b"\x80\x03", "a Python pickle", _EXPORT),
    (0, b"\x80\x04", "a Python pickle", _EXPORT),
    (0, b"\x80\x05", "a Python pickle", _EXPORT),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (a Keras model?)", _EXPORT),
    (4, b"TFL3", "a TensorFlow Lite model", _EXPORT),
    (4, b"ORTM", "a model in onnxruntime's own .ort format", "use the .onnx file that it was made from"),
    (0, b"GGUF", "a GGUF file", _EXPORT),
    (8, b'{"', "a safetensors file", _EXPORT),
    (0, b"\x93NUMPY", "a NumPy array", "pass the model here and the array as data"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (0, b"\x89PNG", "a PNG image", "pass the model here and the images as data"),
    (0, b"\xff\xd8\xff", "a JPEG image", "pass the model here and the images as data"),
)
_NOT_TEXT = frozenset(range(0x20)) - frozenset(b"\t\n\r\f")


class TooLarge(ModelError):  # noqa: N818  (reads better where it is caught)
    """A file is larger than a model may be."""


class NotDownloaded(ModelError):  # noqa: N818
    """A file stands for another one that has not been fetched."""


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a file that may be an ONNX model.

    Raises:
        ModelError: no such file, no regular file, unreadable, empty, over `max_bytes`, or visibly something else.
    """
    try:
        size = _require_regular(path, path.stat(), max_bytes)
        with path.open("rb") as file:
            content = file.read(size + 1)  # so much memory is taken at once, whatever the file holds
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot be read ({reason})") from None
    if len(content) > size:
        raise ModelError(f"{path}: grew while it was read; scan it again when it is whole")
    _require_not_foreign(path, content[:1024])
    return content


def stream_file(path: Path, max_bytes: int) -> Iterator[bytes]:
    """The bytes of a file that may be an ONNX model, a piece at a time, with the checks of ``read_file``.

    Raises:
        ModelError: as ``read_file``.
    """
    try:
        left = _require_regular(path, path.stat(), max_bytes)
        first = True
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if first:
                    _require_not_foreign(path, chunk[:1024])
                if (left := left - len(chunk)) < 0:
                    raise ModelError(f"{path}: grew while it was read; scan it again when it is whole")
                first = False
                yield chunk
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot be read ({reason})") from None


def _require_regular(path: Path, status: os.stat_result, max_bytes: int) -> int:
    """The size of a file that may be read."""
    if stat.S_ISDIR(status.st_mode):
        raise ModelError(f"{path}: expected an .onnx file, got a folder; name the file inside it")
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{path}: expected an .onnx file, got a device, pipe or socket")
    if status.st_size == 0:
        raise ModelError(f"{path}: the file is empty (0 bytes); download or export it again")
    if status.st_size > max_bytes:
        raise TooLarge(
            f"{path}: expected at most {max_bytes} bytes, got {status.st_size}; raise the limit (2 GiB is the most)"
        )
    return status.st_size


def refuse_pointer(start: bytes, where: str) -> None:
    """Refuse what Git LFS leaves in place of a large file.

    Args:
        start: the file's first bytes.
        where: what to call the file; it begins the message.

    Raises:
        NotDownloaded: it is such a pointer.
    """
    if start.startswith(_POINTER):
        raise NotDownloaded(f"{where}, got a Git LFS pointer; run `git lfs pull` to fetch the model itself")


def _require_not_foreign(path: Path, start: bytes) -> None:
    refuse_pointer(start, f"{path}: expected an ONNX model")
    for offset, magic, what, remedy in _FOREIGN:
        if start[offset:].startswith(magic):
            raise ModelError(f"{path}: expected an ONNX model, got {what}; {remedy}")
    if start.lstrip()[:1] == b"<" and _is_text(start):
        raise ModelError(f"{path}: expected an ONNX model, got a web page; download it again, from its raw address")
    if _is_text(start):
        raise ModelError(f"{path}: expected an ONNX model, got text; check that this is the right file")


def _is_text(start: bytes) -> bool:
    """A protobuf message holds field tags and lengths, which are control characters."""
    return _NOT_TEXT.isdisjoint(start)
