"""Changes of a file's bytes, blind to what they mean."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ...converters.wire import varint

__all__ = ["BYTE_CHANGES"]


def _flip(random: Random, content: bytes) -> bytes:
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 4, 64))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def _cut_short(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(1, len(content))]


def _stutter(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content))
    piece = content[start : start + random.choice((1, 8, 300))]
    return content[:start] + piece * random.choice((2, 50)) + content[start:]


def _insert(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content))
    piece = random.choice((b"\xff" * 11, b"\x00", b"\x7f", random.randbytes(8), b"\x3a\x00", b"\x80" * 9 + b"\x01"))
    return content[:start] + piece + content[start:]


def _nest(random: Random, content: bytes) -> bytes:
    """The tail inside messages inside messages, far deeper than a parser goes."""
    piece = content[-random.randrange(1, min(200, len(content))) :]
    for _ in range(random.choice((10, 70, 400))):
        piece = random.choice((b"\x0a", b"\x2a", b"\x32", b"\x3a")) + varint(len(piece)) + piece
    return content + piece


BYTE_CHANGES: tuple[Callable[[Random, bytes], bytes], ...] = (_flip, _flip, _cut_short, _stutter, _insert, _nest)
