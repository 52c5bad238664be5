"""Zip archives."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...converters.messages import one_line
from .members import Archive, BadArchive, BadMember, Member, checked, copy, require_no_bomb

__all__ = ["ZipFile"]

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OverflowError,
            struct.error, lzma.LZMAError)  # fmt: skip
_ENCRYPTED = 0x1
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"
_END_REACH = 1 << 17  # the end's record, its comment, and zip64's record before it
_LARGEST_DIRECTORY = 1 << 26  # bytes; the library reads it into memory whole


@dataclass(frozen=True)
class ZipFile(Archive):
    """A zip archive; the central directory counts."""

    path: Path

    def members(self) -> list[Member]:
        """See ``Archive``; links, encrypted members and those that unpack to far more than their size are refused."""
        with self._opened() as archive:
            found = [info for info in archive.infolist() if not info.is_dir()]
        require_no_bomb(sum(info.file_size for info in found), os.path.getsize(self.path), BadArchive)
        return checked(_member(info) for info in found)

    def extract(self, wanted: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
        """See ``Archive``."""
        with self._opened() as archive:
            for name, target in wanted.items():
                try:
                    info = archive.getinfo(name)
                    with archive.open(info) as source:
                        copy(source, target, info.file_size)
                    yield name, ""
                except (BadMember, KeyError, *_DAMAGED) as error:
                    yield name, f"damaged ({one_line(error)}); download the archive again"
                except OSError as error:
                    if error.errno is not None:
                        raise
                    yield name, f"damaged ({one_line(error)}); download the archive again"  # bzip2's complaint

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            _require_small_directory(self.path)
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except _DAMAGED as error:
            raise BadArchive(f"a damaged zip archive ({one_line(error)}); download it again") from None


def _member(info: zipfile.ZipInfo) -> Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED:
        return Member(info.filename, info.file_size, "encrypted; unpack it and scan the folder")
    if kind not in (0, stat.S_IFREG):
        return Member(info.filename, info.file_size, "a link or a device, which is not followed")
    try:
        require_no_bomb(info.file_size, info.compress_size, BadMember)
    except BadMember as error:
        return Member(info.filename, info.file_size, str(error), hostile=True)
    # The library cuts a name at a zero byte; the whole one is judged.
    return Member(info.orig_filename if "\0" in info.orig_filename else info.filename, info.file_size)


def _require_small_directory(path: Path) -> None:
    """Refuse a list of members that would fill the memory before the first of them is seen."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END_REACH))
        end = file.read(_END_REACH)
    claims = [struct.unpack_from("<L", end, at + 12)[0] for at in _all(end, _END) if at + 16 <= len(end)]
    claims = [claim for claim in claims if claim != 0xFFFFFFFF]
    claims += [struct.unpack_from("<Q", end, at + 40)[0] for at in _all(end, _END_64) if at + 48 <= len(end)]
    if any(_LARGEST_DIRECTORY < claim <= size for claim in claims):
        raise BadArchive(f"a list of members of more than {_LARGEST_DIRECTORY:,} bytes; unpack it and scan the folder")


def _all(content: bytes, mark: bytes) -> Iterator[int]:
    at = content.find(mark)
    while at >= 0:
        yield at
        at = content.find(mark, at + 1)
