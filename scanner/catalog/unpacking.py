"""Members of an archive as files in a folder, with what belongs to them at its place beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...converters.errors import OnnxrayError
from ...converters.external_names import externals
from ...converters.limits import MAX_BYTES, read_file
from ...converters.wire import WireError
from .formats import is_onnx
from .members import Archive, Member, normal
from .tar_archive import TarFile
from .zip_archive import ZipFile

__all__ = ["Contents", "is_archive", "opened"]

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_BESIDE = (".json", ".txt", ".csv", ".names", ".labels")
_LARGEST_BESIDE, _MOST_BESIDE = 1 << 20, 64


def is_archive(name: str) -> bool:
    """Whether this is the name of an archive that is looked into."""
    return name.lower().endswith(_SUFFIXES)


def opened(path: Path) -> Contents:
    """What an archive holds.

    Raises:
        BadArchive: see ``Archive.members``.
        OSError: it cannot be read.
    """
    archive: Archive = ZipFile(path) if path.suffix.lower() == ".zip" else TarFile(path)
    return Contents(archive, {normal(member.name): member for member in archive.members()})


@dataclass(frozen=True)
class Contents:
    """An archive and its members by their place in it; of several with one place, all are refused."""

    archive: Archive
    members: Mapping[str, Member]

    def unpack(self, places: Iterable[str], folder: Path, beside: bool = False) -> dict[str, str]:
        """Write models, and then the external data that they name, below a folder.

        Args:
            places: of the models; keys of ``members``.
            folder: an empty one.
            beside: whether labels and preprocessing beside the models come along.

        Returns:
            Place of a model -> why it could not be written; nothing for those that could.

        Raises:
            BadArchive: the archive is damaged.
            OSError: a file cannot be written.
        """
        models = list(places)
        small = [place for model in models for place in self._beside(model)] if beside else []
        failed = self._written([*models, *small], folder)
        written = [folder / place for place in models if place not in failed]
        named = (self._data_of(file, folder) for file in written if is_onnx(file))
        # What is wrong with external data is told when the model is hashed.
        failed |= self._written((place for places in named for place in places), folder)
        return {place: why for place, why in failed.items() if place in models}

    def _written(self, places: Iterable[str], folder: Path) -> dict[str, str]:
        failed, wanted = dict[str, str](), dict[str, Path]()
        for place in dict.fromkeys(places):
            member, target = self.members[place], folder / place
            if member.refused or target.exists():
                continue
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                wanted[member.name] = target
            except (FileExistsError, NotADirectoryError):
                failed[place] = "its folder is a file in this archive; do not trust it"
        for name, why in self.archive.extract(wanted) if wanted else ():
            if why:
                failed[normal(name)] = why
                wanted[name].unlink(missing_ok=True)
        return failed

    def _beside(self, model: str) -> list[str]:
        """Small files of text in the model's folder, and in the one above where the model's is called "onnx"."""
        folder = PurePosixPath(model).parent
        folders = {folder, folder.parent} if folder.name == "onnx" else {folder}
        found = (
            place
            for place, member in self.members.items()
            if PurePosixPath(place).parent in folders
            and PurePosixPath(place).suffix.lower() in _BESIDE
            and member.size <= _LARGEST_BESIDE
        )
        return sorted(found)[:_MOST_BESIDE]

    def _data_of(self, model: Path, folder: Path) -> list[str]:
        """Places of the members that a model names as its external data."""
        try:
            locations = [e.entries.get("location", "") for e in externals(read_file(model, MAX_BYTES))]
        except (OnnxrayError, WireError):
            return []
        own = model.parent.relative_to(folder)
        places = dict.fromkeys((PurePosixPath(own.as_posix()) / location).as_posix() for location in locations)
        left, found = MAX_BYTES, []
        for place in places:
            if place in self.members and (left := left - self.members[place].size) >= 0:
                found.append(place)
        return found
