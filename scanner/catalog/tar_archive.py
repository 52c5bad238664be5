"""Tar archives, packed with gzip or not."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ...converters.messages import one_line
from .members import MOST_MEMBERS, Archive, BadArchive, BadMember, Member, checked, copy, require_no_bomb

__all__ = ["TarFile"]

_DAMAGED = (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, OverflowError, RecursionError)
_GZIP = b"\x1f\x8b"
_MOST_AT_ONCE = 1 << 24  # bytes; headers of the pax format are read whole


class _Watched:
    """A stream that ends, with a complaint, where it unpacks to far more than its file's size."""

    def __init__(self, file: IO[bytes], packed: int) -> None:
        self._file, self._packed = file, packed

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise BadArchive(f"a header of {size:,} bytes; do not trust this archive")
        content = self._file.read(size)
        require_no_bomb(self._file.tell(), self._packed, BadArchive)
        return content

    def seek(self, position: int) -> int:
        require_no_bomb(position, self._packed, BadArchive)
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()


@dataclass(frozen=True)
class TarFile(Archive):
    """A tar archive; read from its start to its end each time."""

    path: Path

    def members(self) -> list[Member]:
        """See ``Archive``; links, devices and files with holes are refused."""
        with self._opened() as archive:
            return checked(_member(info) for info in _infos(archive) if not info.isdir())

    def extract(self, wanted: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
        """See ``Archive``."""
        left = dict(wanted)
        with self._opened() as archive:
            for info in _infos(archive):
                if not left:
                    return
                if info.isreg() and (target := left.pop(info.name, None)):
                    try:
                        copy(cast(IO[bytes], archive.extractfile(info)), target, info.size)
                        yield info.name, ""
                    except BadMember as error:
                        yield info.name, f"damaged ({error}); download the archive again"
        yield from ((name, "no longer in the archive; scan the catalog again") for name in left)

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        try:
            with self.path.open("rb") as packed:
                is_gzip = packed.read(len(_GZIP)) == _GZIP
                packed.seek(0)
                file = cast(IO[bytes], gzip.GzipFile(fileobj=packed)) if is_gzip else packed
                watched = _Watched(file, os.fstat(packed.fileno()).st_size)
                with tarfile.TarFile(fileobj=cast(IO[bytes], watched), errorlevel=2) as archive:
                    yield archive
        except _DAMAGED as error:
            raise BadArchive(f"a damaged tar archive ({one_line(error)}); download it again") from None


def _infos(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, in order; an archive can be made to lead its reader back, or to never end."""
    position, count = -1, 0
    while info := archive.next():
        count += 1
        if info.size < 0 or info.offset <= position or count > 2 * MOST_MEMBERS:
            raise BadArchive("a damaged tar archive (its members do not follow one another); do not trust it")
        position = info.offset
        vars(archive)["members"] = []  # the library keeps all that it has seen
        yield info


def _member(info: tarfile.TarInfo) -> Member:
    if not info.isreg():
        return Member(info.name, info.size, "a link or a device, which is not followed")
    if info.issparse():
        return Member(info.name, info.size, "a file with holes; unpack it and scan the folder")
    return Member(info.name, info.size)
