"""An entry as a real file: the model with its external data and what lies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from ..errors import ModelError, OnnxrayError
from .hashing import identify
from .naming import without_path
from .unpacking import opened

__all__ = ["Located", "local"]


class Located(Protocol):
    """An ``Entry`` or a ``Job``."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def path(self) -> Path:
        """The local file, or the archive."""

    @property
    def member(self) -> str:
        """Name inside the archive; "" for a file of its own."""

    @property
    def sha256(self) -> str:
        """As it was when the catalog was made."""


@contextmanager
def local(model: Located, scratch: Path) -> Iterator[Path]:
    """The model as a file that a scan can be given, for as long as the context lasts.

    Args:
        model: an entry of a catalog, or a job made of one.
        scratch: folder in which a member of an archive is unpacked, into a folder of its own that is gone afterwards.

    Raises:
        OnnxrayError: it is gone, cannot be read, or is not what it was when the catalog was made.
    """
    if not model.member:
        _require_same(model, model.path)
        yield model.path
        return
    with _folder(model, scratch) as folder:
        file = folder / model.member
        _unpack(model, folder)
        _require_same(model, file)
        yield file


@contextmanager
def _folder(model: Located, scratch: Path) -> Iterator[Path]:
    try:
        found = TemporaryDirectory(prefix="onnxray-", dir=scratch, ignore_cleanup_errors=True)
    except OSError as error:
        raise ModelError(
            f"{model.name}: no folder to unpack it in ({error.strerror or error}); free the disk"
        ) from None
    with found as folder:
        yield Path(folder)


def _unpack(model: Located, folder: Path) -> None:
    try:
        contents = opened(model.path)
        if model.member not in contents.members or contents.members[model.member].refused:
            raise ModelError("changed since the catalog was made; scan the catalog again")
        failed = contents.unpack([model.member], folder, beside=True)
    except OnnxrayError as error:
        raise ModelError(f"{model.name}: {error}") from None
    except OSError as error:
        raise ModelError(f"{model.name}: cannot be unpacked ({error.strerror or error})") from None
    if failed:
        raise ModelError(f"{model.name}: {failed[model.member]}")


def _require_same(model: Located, path: Path) -> None:
    try:
        found = identify(path)
    except (OnnxrayError, OSError) as error:
        raise ModelError(f"{model.name}: {without_path(error, path)}") from None
    if found.sha256 != model.sha256:
        raise ModelError(f"{model.name}: changed since the catalog was made; scan the catalog again")
