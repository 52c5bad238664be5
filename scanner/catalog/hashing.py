"""An entry's identity: the hash of its model's bytes, or why it has none."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ...converters.errors import OnnxrayError
from ...converters.external_data import DataMissing
from ...converters.identity import Identity, digest, identity
from ...converters.limits import NotDownloaded, TooLarge
from ...converters.messages import one_line
from . import Entry, Unscanned
from .formats import is_onnx
from .hub_cache import astray, origin
from .naming import without_path

__all__ = ["hash_all", "hash_one", "identify"]

_CODES: dict[type[BaseException], str] = {
    NotDownloaded: "not-downloaded",
    DataMissing: "missing",
    TooLarge: "too-large",
}


def hash_all(drafts: Iterable[Entry]) -> Iterator[Entry | Unscanned]:
    """Each entry with its identity, in order; several are read at once."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(hash_one, drafts)


def hash_one(draft: Entry) -> Entry | Unscanned:
    """The entry with its identity, or why it cannot be scanned."""
    path = draft.path
    if draft.sha256:  # a member of an archive, hashed when it was unpacked
        return draft
    if refusal := _refusal(path):
        return Unscanned(draft.name, *refusal)
    try:
        found = identify(path)
    except OnnxrayError as error:
        return Unscanned(draft.name, _CODES.get(type(error), "unreadable"), without_path(error, path))
    except OSError as error:
        return Unscanned(draft.name, "unreadable", without_path(error, path))
    expected = draft.origin.get("expected", found.own)
    if expected != found.own:
        why = f"its sha256 is {found.own}, but the manifest says {one_line(expected, 64)}; download it again"
        return Unscanned(draft.name, "manifest", why)
    known = {name: value for name, value in draft.origin.items() if name != "expected"}
    return replace(draft, sha256=found.sha256, size_bytes=found.size_bytes, origin={**origin(path), **known})


def identify(path: Path) -> Identity:
    """sha256 and size of a model as ``ModelFacts`` has them: for ONNX with its external data.

    Raises:
        OnnxrayError: it is gone, too large, or visibly no model.
        OSError: a folder of another framework cannot be read.
    """
    from ...converters.sources import find

    if not is_onnx(path) and find(path):
        sha256, size = digest(path)
        return Identity(sha256, size, sha256)
    return identity(path)


def _refusal(path: Path) -> tuple[str, str] | None:
    """Code and reason of a link that cannot be followed."""
    if not path.is_symlink():
        return None
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "loop", "a link that leads back to itself; remove it"
        if origin(path):
            return "not-downloaded", "its blob is not in the cache; download the revision again"
        return "unreadable", "a link to a file that is not there; mend or remove the link"
    if origin(path) and astray(path):
        return "unreadable", "a link out of its repository's cache, which no download makes; do not trust this cache"
    return None
