"""What there is to scan: folders, archives, hubs and manifests become entries, each with the bytes' identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._inventory import inventory
    from .localizing import local

__all__ = ["Catalog", "Entry", "Unscanned", "inventory", "local"]

_HOME = {"inventory": "._inventory", "local": ".localizing"}


@dataclass(frozen=True)
class Entry:
    """One model under one name.

    Attributes:
        name: what people call it, unique in a catalog: the path as given, ``zoo.zip!nets/a.onnx``, or
            ``hf://org/repo@revision/onnx/model.onnx``.
        path: the local file; of a member of an archive, the archive.
        member: name inside the archive; "" for a file of its own.
        sha256: of the model's bytes followed by those of its external data, as ``ModelFacts.sha256``.
        size_bytes: of all that was hashed.
        group: what its variants share: the repository, or the folder that holds nothing but variants of one model;
            "" where it stands alone.
        data, training_data: pictures that go with it; None leaves them to the command line.
        options: fields of ``ScanOptions`` (and of ``DomainOverrides``) that the manifest sets for it, by name, as
            plain values.
        origin: what else is known of where it is from: "revision", "repository", "manifest" and the like.
    """

    name: str
    path: Path
    sha256: str
    size_bytes: int
    member: str = ""
    group: str = ""
    data: Path | None = None
    training_data: Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unscanned:
    """Something in the catalog that cannot be scanned; it is told, and never counts as clean.

    Attributes:
        name: as ``Entry.name``.
        code: "not-downloaded" (a Git LFS pointer), "unreadable", "loop", "too-large", "bad-archive", "bad-member",
            "missing" (named by a manifest, or external data of a model), "hub" (a download that failed) or "manifest".
        why: one sentence: what is wrong and what to do.
    """

    name: str
    code: str
    why: str


@dataclass(frozen=True)
class Catalog:
    """All that was found, in order of name."""

    entries: tuple[Entry, ...] = ()
    unscanned: tuple[Unscanned, ...] = ()


def __getattr__(name: str) -> Any:
    """Load what reads files when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)
