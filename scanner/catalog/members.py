"""What an archive holds, seen the same way whatever its kind; nothing in it is believed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from ..errors import OnnxrayError

__all__ = [
    "Archive", "BadArchive", "BadMember", "Member", "checked", "copy", "normal", "require_no_bomb", "unsafe_name",
]  # fmt: skip

MOST_MEMBERS = 200_000
_RATIO = 200  # deflate reaches 1,032; weights hardly 10
_FREE = 1 << 26  # bytes that may unpack from whatever little
_LONGEST, _DEEPEST, _LONGEST_PART = 1024, 64, 255
_CHUNK = 1 << 20


class BadArchive(OnnxrayError):  # noqa: N818  (reads better where it is caught)
    """The archive as a whole cannot be read or must not be unpacked."""


class BadMember(OnnxrayError):  # noqa: N818
    """One member cannot be read or must not be unpacked."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive that is no folder.

    Attributes:
        name: as the archive has it.
        size: in bytes once unpacked, as the archive declares.
        refused: why it is not unpacked; "" if it may be.
        hostile: whether no honest program writes such a member.
    """

    name: str
    size: int
    refused: str = ""
    hostile: bool = False


class Archive(ABC):
    """One archive file."""

    @abstractmethod
    def members(self) -> list[Member]:
        """All but folders, judged by ``checked``.

        Raises:
            BadArchive: damaged, encrypted as a whole, a compression bomb, or with too many members.
        """

    @abstractmethod
    def extract(self, wanted: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
        """Write members to new files and yield each one's name with what went wrong, "" for nothing.

        Args:
            wanted: name as in ``members`` -> file to write, whose folder is there.

        Raises:
            BadArchive: it is damaged before all were found.
            OSError: a file cannot be written.
        """


def normal(name: str) -> str:
    """A member's place in the archive, however its name spells it."""
    return PurePosixPath(name).as_posix()


def checked(members: Iterable[Member]) -> list[Member]:
    """The members with those refused that would land elsewhere, or on one another, if they were unpacked.

    Raises:
        BadArchive: there are too many.
    """
    found = list[Member]()
    for member in members:
        found.append(member)
        if len(found) > MOST_MEMBERS:
            raise BadArchive(f"expected at most {MOST_MEMBERS:,} members, got more; unpack it and scan the folder")
    count = Counter(normal(member.name) for member in found)
    return [_judged(member, count[normal(member.name)]) for member in found]


def unsafe_name(name: str) -> str:
    """Why a name that somebody else chose is no file below a folder; "" if it is one."""
    path, other = PurePosixPath(name), PureWindowsPath(name)
    if not name.isprintable():
        return "its name has control characters"
    if path.anchor or other.anchor:
        return "its name is an absolute path"
    if ".." in (*path.parts, *other.parts):
        return "its name leads out of its folder"
    long = len(name.encode()) > _LONGEST or max((len(p.encode()) for p in path.parts), default=0) > _LONGEST_PART
    return "its name is too long or empty" if long or not 0 < len(path.parts) <= _DEEPEST else ""


def _judged(member: Member, count: int) -> Member:
    why = unsafe_name(member.name)
    if not why and count > 1:
        why = "the archive has more than one member of this name"
    return replace(member, refused=f"{why}; do not trust this archive", hostile=True) if why else member


def require_no_bomb(unpacked: int, packed: int, error: type[OnnxrayError]) -> None:
    """Refuse what unpacks to far more than its size.

    Raises:
        OnnxrayError: of the given type; it does.
    """
    if unpacked > _FREE + _RATIO * packed:
        raise error(f"a compression bomb ({packed:,} bytes unpack to more than {_FREE + _RATIO * packed:,}); delete it")


def copy(source: IO[bytes], target: Path, size: int) -> None:
    """Write a member to a new file.

    Raises:
        BadMember: it has not the size that it declares.
        OSError: the file cannot be written.
    """
    left = size
    with target.open("xb") as file:
        while left and (chunk := source.read(min(_CHUNK, left))):
            left -= file.write(chunk)
    if left or source.read(1):
        raise BadMember(f"expected {size:,} bytes as the archive declares, got {'fewer' if left else 'more'}")
