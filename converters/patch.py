"""Changed weights back into the original file: only their bytes differ, in a copy."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from .atomic_copy import write_copy
from .errors import ModelError
from .external_data import Place, place_of, read_place
from .graphs import tensors
from .limits import MAX_BYTES, read_file
from .messages import one_line
from .tensor_bytes import changed_units, field_replacements, fitted, merged, stored_values
from .tensor_sites import Site, sites
from .wire import Field, Replacement, WireError, splice

if TYPE_CHECKING:
    import os

    from .model import Model

__all__ = ["PatchSummary", "patch_weights", "save"]


@dataclass(frozen=True)
class PatchSummary:
    """What `patch_weights` wrote.

    Attributes:
        path: the new model file.
        elements: initializer name -> how many of its elements differ from the original's.
        external: the new files with external data, in the order in which the model names them.
    """

    path: Path
    elements: dict[str, int]
    external: tuple[Path, ...]


def save(
    model: Model, edits: Mapping[str, NDArray[Any]], out_path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES
) -> PatchSummary:
    """Write an opened model with changed weights; see `patch_weights`.

    Raises:
        ModelError: also when the model's file has changed since it was opened.
    """
    return _patch(Path(model.path), edits, Path(out_path), max_bytes, model.facts.sha256)


def patch_weights(
    source_path: str | os.PathLike[str],
    edits: Mapping[str, NDArray[Any]],
    out_path: str | os.PathLike[str],
    *,
    max_bytes: int = MAX_BYTES,
) -> PatchSummary:
    """Write a copy of an ONNX file in which only the bytes of some weights differ.

    Args:
        source_path: the original, never modified.
        edits: name of an initializer, or of a Constant node's output -> all its values, in its own shape and in its own
            type or in one whose values that type holds exactly.
        out_path: the copy; a file that is there is replaced, in one step. Files with external data are written beside
            it under the names that the model gives them.
        max_bytes: size limit of the file and its external data together.

    Raises:
        ModelError: the original cannot be read; an edit has an unknown or ambiguous name, another shape or type, or a
            new value that is not finite; a file would overwrite one of the original's.
    """
    return _patch(Path(source_path), edits, Path(out_path), max_bytes, None)


def _patch(
    source: Path, edits: Mapping[str, NDArray[Any]], out: Path, max_bytes: int, sha256: str | None
) -> PatchSummary:
    original = _read(source, min(max_bytes, MAX_BYTES))
    if sha256 not in (None, original.sha256()):
        raise ModelError(f"{source}: the file has changed since it was opened; scan it again")
    found = _find(original, edits)
    changes, counts = [], {}
    for name, values in edits.items():
        try:
            change = _change(original, found[name], np.asarray(values))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ModelError(f"{source}: cannot patch {one_line(name)!r}: {one_line(error)}") from None
        changes.append(change)
        counts[name] = change.elements
    external = {
        place.location: splice(data, [r for c in changes if c.file == place.file for r in c.replacements], ())
        for place, data in original.external
    }
    inside = [c for c in changes if c.file is None]
    content = splice(
        original.content, [r for c in inside for r in c.replacements], [f for c in inside for f in c.enclosing]
    )
    originals = [source, *(place.file for place, _ in original.external)]
    written = write_copy(out, content, external, originals)
    return PatchSummary(out, counts, written)


@dataclass(frozen=True)
class _Original:
    """The file as it is; `external` holds each place of external data with its whole file, equal ones once."""

    path: Path
    content: bytes
    places: tuple[Place, ...]
    files: dict[Path, bytes]

    @property
    def external(self) -> Iterator[tuple[Place, bytes]]:
        """One place for each location, with its file."""
        for place in {place.location: place for place in self.places}.values():
            yield place, self.files[place.file]

    def sha256(self) -> str:
        """As in load.py."""
        digest = hashlib.sha256(self.content)
        for data in self.files.values():
            digest.update(data)
        return digest.hexdigest()


@dataclass(frozen=True)
class _Change:
    """Bytes to be replaced, in the model file (None) or in one with external data."""

    elements: int
    replacements: list[Replacement]
    enclosing: tuple[Field, ...] = ()
    file: Path | None = None


def _read(path: Path, max_bytes: int) -> _Original:
    content = read_file(path, max_bytes)
    proto = ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        raise ModelError(f"{path}: truncated or not ONNX; download or export it again") from None
    places = [place for tensor in tensors(proto) if (place := place_of(path, tensor))]
    files = dict[Path, bytes]()
    for place in places:
        if place.file not in files:
            files[place.file] = read_place(place, max_bytes - len(content) - sum(map(len, files.values())))
    return _Original(path, content, tuple(places), files)


def _find(original: _Original, edits: Mapping[str, NDArray[Any]]) -> dict[str, Site]:
    """The place of every edited weight.

    Raises:
        ModelError: a name is not there, or there twice.
    """
    try:
        known = list(sites(original.content))
    except WireError as error:
        raise ModelError(f"{original.path}: not valid ONNX: {error}; export it again") from None
    count = Counter(site.name for site in known)
    for name in edits:
        if count[name] != 1:
            what = f"{count[name]} weights" if count[name] else "no initializer and no Constant node"
            raise ModelError(f"{original.path}: cannot patch {one_line(name)!r}: {what} of that name in the file")
    found = {site.name: site for site in known if site.name in edits}
    for site in found.values():
        if site.sparse:
            raise ModelError(
                f"{original.path}: cannot patch {one_line(site.name)!r}: it is stored as a sparse tensor; "
                "export the model with dense weights"
            )
    return found


def _change(original: _Original, site: Site, values: NDArray[Any]) -> _Change:
    proto = TensorProto.FromString(original.content[site.field.start : site.field.end])
    new = fitted(values, proto)
    place = place_of(original.path, proto)
    start, end = place.span(len(original.files[place.file])) if place else (0, 0)
    held = original.files[place.file][start:end] if place else b""
    old = stored_values(proto, held)
    changed = _changed(old, new)
    before, after = changed_units(old, new, proto)
    elements = int(changed.sum())
    if not (before != after).any():
        return _Change(elements, [])
    if place is None:
        edits, around = field_replacements(original.content, site.field, proto, before, after)
        return _Change(elements, edits, (*site.enclosing, *around))
    _require_alone(original, place, start, end)
    return _Change(elements, [Replacement(start, end, merged(held, before, after))], file=place.file)


def _changed(old: NDArray[Any], new: NDArray[Any]) -> NDArray[np.bool_]:
    """Which elements differ.

    Raises:
        ValueError: one became NaN or infinite.
    """
    changed: NDArray[np.bool_] = np.asarray(old != new)
    if old.dtype.kind not in "iu":
        with np.errstate(all="ignore"):
            one, two = old.astype(np.float64), new.astype(np.float64)
        changed = changed & ~(np.isnan(one) & np.isnan(two))
        if not np.isfinite(two[changed]).all():
            raise ValueError("expected finite values, got NaN or infinity")
    return changed


def _require_alone(original: _Original, place: Place, start: int, end: int) -> None:
    """A tensor whose bytes are another's too cannot be changed without it."""
    spans = [p.span(len(original.files[p.file])) for p in original.places if p.file == place.file]
    if sum(first < end and start < last for first, last in spans) > 1:
        raise ValueError(f"it shares its bytes in {one_line(place.location)!r} with another tensor; export it again")
