"""Our own manifest: which models, each with its pictures and options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import OnnxrayError, OptionError
from . import Entry, Unscanned
from .manifest_files import Told, told_by
from .manifest_rows import Row, row
from .naming import printable

__all__ = ["named_by"]

Find = Callable[[str, Path], Iterator[Entry | Unscanned]]


def named_by(manifest: Path, find: Find) -> list[Entry | Unscanned]:
    """What a manifest names; of two entries that name one model, the later one counts, unless it names it otherwise.

    Args:
        manifest: a .toml or .csv file.
        find: gives what a path names, relative to a folder.

    Raises:
        OptionError: the manifest as a whole cannot be read.
    """
    found = [item for told in told_by(manifest) for item in _named(manifest, told, find)]
    kept: dict[object, Entry | Unscanned] = {}
    for item, own_name in found:
        key = (str(item.path.resolve()), item.member, own_name) if isinstance(item, Entry) else (item.name, item.why)
        kept.pop(key, None)
        kept[key] = item
    return list(kept.values())


def _named(manifest: Path, told: Told, find: Find) -> Iterator[tuple[Entry | Unscanned, str]]:
    """What one entry names, each with the name that the entry gives it."""
    where = f"{printable(str(manifest))}: {told.where}"
    try:
        wanted = row(told.values)
        data = {name: _existing(manifest, name, getattr(wanted, name)) for name in ("data", "training_data")}
    except OptionError as error:
        yield Unscanned(where, "manifest", str(error)), ""
        return
    try:
        found = list(find(wanted.model, manifest.absolute().parent))
    except OnnxrayError as error:
        yield Unscanned(where, "missing", str(error)), ""
        return
    entries = [item for item in found if isinstance(item, Entry)]
    if wanted.name and len(entries) > 1:
        why = f"name: {printable(wanted.name)!r} is given to {len(entries)} models; leave it out"
        yield Unscanned(where, "manifest", why), ""
        return
    for item in found:
        yield (_dressed(item, wanted, data, manifest), wanted.name or "") if isinstance(item, Entry) else (item, "")


def _dressed(entry: Entry, wanted: Row, data: dict[str, Path | None], manifest: Path) -> Entry:
    return replace(
        entry,
        name=wanted.name or entry.name,
        group=wanted.group or entry.group,
        data=data["data"],
        training_data=data["training_data"],
        options=wanted.options(),
        origin={**entry.origin, "manifest": str(manifest)},
    )


def _existing(manifest: Path, field: str, text: str | None) -> Path | None:
    if text is None:
        return None
    path = manifest.absolute().parent / text
    if not path.exists():
        raise OptionError(f"{field}: there is no file or folder {printable(text)!r} beside the manifest")
    return path
