"""The models in an archive: unpacked a few at a time, hashed, and gone again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ...converters.errors import OnnxrayError
from ...converters.limits import MAX_BYTES, refuse_pointer
from ..scratch import scratch_folder
from . import Entry, Unscanned
from .formats import AMBIGUOUS, foreign, is_onnx, source
from .hashing import hash_one
from .hub_cache import origin
from .members import BadArchive
from .naming import without_path
from .unpacking import Contents, is_archive, opened

__all__ = ["models_in_archive"]

_BATCH = 1 << 30  # bytes unpacked at once
_MOST_TOLD = 50


def models_in_archive(path: Path, name: str, expected: bool = False) -> Iterator[Entry | Unscanned]:
    """Every model of an archive, hashed, as "ARCHIVE!MEMBER", and what must not be unpacked.

    Args:
        path: the archive.
        name: what it is called.
        expected: whether an archive without any model is told.
    """
    try:
        with path.open("rb") as file:
            refuse_pointer(file.read(100), "expected an archive")
        contents = opened(path)
    except OSError as error:
        yield Unscanned(name, "unreadable", without_path(error, path))
    except OnnxrayError as error:
        yield Unscanned(name, "bad-archive" if isinstance(error, BadArchive) else "not-downloaded", str(error))
    else:
        found = [*_refused(contents, name), *_hashed(contents, path, name)]
        yield from found
        if expected and not found:
            yield Unscanned(name, "bad-archive", "holds no .onnx file; check that it is the right archive")


def _refused(contents: Contents, name: str) -> Iterator[Unscanned]:
    """Members that are not unpacked although they are models, or that no honest archive has."""
    told = [m for place, m in contents.members.items() if m.refused and (m.hostile or _is_model(place))]
    for member in told[:_MOST_TOLD]:
        yield Unscanned(f"{name}!{member.name}", "bad-member", member.refused)
    if len(told) > _MOST_TOLD:
        yield Unscanned(f"{name}!*", "bad-member", f"{len(told) - _MOST_TOLD} more members like these")
    for place, member in contents.members.items():
        if is_archive(place) and not member.refused:
            yield Unscanned(f"{name}!{place}", "bad-member", "an archive in an archive is not opened; unpack it")


def _hashed(contents: Contents, path: Path, name: str) -> Iterator[Entry | Unscanned]:
    places = [place for place, member in contents.members.items() if _is_model(place) and not member.refused]
    exported = {Path(place).with_suffix("") for place in places if is_onnx(Path(place))}
    places = [place for place in places if is_onnx(Path(place)) or Path(place).with_suffix("") not in exported]
    large = [place for place in places if contents.members[place].size > MAX_BYTES]
    for place in large:
        size = contents.members[place].size
        yield Unscanned(f"{name}!{place}", "too-large", f"expected at most {MAX_BYTES} bytes, got {size}")
    for batch in _batches(contents, [place for place in places if place not in set(large)]):
        yield from _of_batch(contents, batch, Entry(name, path, "", 0))


def _batches(contents: Contents, places: list[str]) -> Iterator[list[str]]:
    """Together small enough to lie unpacked at the same time."""
    batch, size = list[str](), 0
    for place in places:
        if batch and size + contents.members[place].size > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(place)
        size += contents.members[place].size
    if batch:
        yield batch


def _of_batch(contents: Contents, batch: list[str], archive: Entry) -> list[Entry | Unscanned]:
    called = {place: f"{archive.name}!{place}" for place in batch}
    try:
        with scratch_folder() as folder:
            failed = contents.unpack(batch, Path(folder))
            found = [_one(Path(folder, place), called[place], failed.get(place, "")) for place in batch]
    except BadArchive as error:
        return [Unscanned(name, "bad-archive", str(error)) for name in called.values()]
    except OSError as error:
        why = f"could not be unpacked ({error.strerror or error}); see that there is room for temporary files"
        return [Unscanned(name, "unreadable", why) for name in called.values()]
    return [
        replace(item, path=archive.path, member=place, origin=origin(archive.path)) if isinstance(item, Entry) else item
        for place, item in zip(batch, found, strict=True)
        if item is not None
    ]


def _one(file: Path, name: str, failed: str) -> Entry | Unscanned | None:
    """An unpacked member with its identity; None if it is no model after all."""
    if failed:
        return Unscanned(name, "bad-member", failed)
    if is_onnx(file):
        return hash_one(Entry(name, file, "", 0))
    found = source(file, name)
    return hash_one(found) if isinstance(found, Entry) else found


def _is_model(place: str) -> bool:
    path = Path(place)
    return is_onnx(path) or (foreign(path) and path.suffix.lower() not in AMBIGUOUS)
