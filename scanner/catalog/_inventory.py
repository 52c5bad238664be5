"""What people name on a command line becomes a catalog in which everything is accounted for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from . import Catalog, Entry, Unscanned
from .arguments import Finder
from .grouping import grouped
from .hashing import hash_all
from .manifest import named_by
from .manifest_files import is_manifest
from .naming import unlike
from .zoo_manifest import is_zoo_manifest, named_by_zoo

__all__ = ["inventory"]


def _nobody(line: str) -> None:
    """Tell nobody."""


def inventory(
    paths: Sequence[str],
    *,
    manifest: Path | None = None,
    told: Callable[[str], None] = _nobody,
    cache: Path | None = None,
) -> Catalog:
    """Find and hash everything that these paths name.

    Args:
        paths: files, folders, patterns such as ``models/**/*.onnx``, archives, manifests, and hf://ORG/REPOSITORY.
        manifest: a catalog.toml, catalog.csv or ONNX_HUB_MANIFEST.json besides; what manifests say of a model counts
            before what a path does.
        told: called with what is left out on purpose, a line each.
        cache: folder for downloads; None for Hugging Face's own.

    Raises:
        OnnxrayError: a path that names nothing, or a manifest that cannot be read.
    """
    finder = Finder(told, cache)
    listed = [path for path in paths if (is_manifest(path) and not os.path.isdir(path)) or is_zoo_manifest(Path(path))]
    manifests = dict.fromkeys([*([manifest] if manifest else []), *map(Path, listed)])
    named = [item for path in manifests for item in _of_manifest(path, finder)]
    drafts = _once(named, (item for path in paths if path not in listed for item in finder.models(path)))
    results = [*hash_all(d for d in drafts if isinstance(d, Entry)), *(d for d in drafts if isinstance(d, Unscanned))]
    entries = unlike(grouped(r for r in results if isinstance(r, Entry)))
    return Catalog(tuple(entries), tuple(unlike(r for r in results if isinstance(r, Unscanned))))


def _of_manifest(path: Path, finder: Finder) -> Iterable[Entry | Unscanned]:
    if path.suffix.lower() == ".json":
        return named_by_zoo(path, finder.told)
    return named_by(path, finder.models)


def _once(named: Sequence[Entry | Unscanned], found: Iterable[Entry | Unscanned]) -> list[Entry | Unscanned]:
    """What manifests name, and of the rest what is neither among that nor was found before by another path."""
    seen = {_place(item) for item in named}
    return [*named, *_unseen(found, seen)]


def _unseen(found: Iterable[Entry | Unscanned], seen: set[object]) -> Iterator[Entry | Unscanned]:
    for item in found:
        if (place := _place(item)) not in seen:
            seen.add(place)
            yield item


def _place(item: Entry | Unscanned) -> object:
    if isinstance(item, Unscanned):
        return item
    return os.path.realpath(item.path.parent), item.path.name, item.member
