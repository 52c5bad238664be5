"""Messages over a pipe: a kind, two lengths, then text and bytes. The reader trusts none of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

__all__ = ["Frame", "FrameError", "frames", "send"]

_HEAD = struct.Struct("<4sQQ")
_LARGE = (b"done", b"args", b"job\0")
_MOST_TEXT, _MOST_DATA = 1 << 26, 1 << 29  # of an answer; bytes
_MOST_TOLD = 1 << 16  # of any other message


class Frame(NamedTuple):
    """One message."""

    kind: str
    text: bytes
    data: bytes = b""


class FrameError(ValueError):
    """What came is no message."""


def send(pipe: IO[bytes], frame: Frame) -> None:
    """Write one message whole."""
    pipe.write(_HEAD.pack(frame.kind.encode(), len(frame.text), len(frame.data)) + frame.text + frame.data)
    pipe.flush()


def frames(pipe: IO[bytes]) -> Iterator[Frame]:
    """The messages of a pipe until it ends.

    Raises:
        FrameError: a message is cut short, too long or of no known form.
    """
    while head := pipe.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise FrameError("a message was cut short")
        kind, text, data = _HEAD.unpack(head)
        most = (_MOST_TEXT, _MOST_DATA) if kind in _LARGE else (_MOST_TOLD, 0)
        if text > most[0] or data > most[1] or not kind.strip(b"\0").isalpha():
            raise FrameError("a message was too long or of no known form")
        yield Frame(kind.strip(b"\0").decode("ascii", "replace"), _read(pipe, text), _read(pipe, data))


def _read(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise FrameError("a message was cut short")
    return content
