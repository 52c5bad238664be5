"""One model or many: what the paths of ``onnxray scan`` mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from glob import has_magic
from itertools import islice
from pathlib import Path

from ...converters.messages import one_line
from ..errors import OnnxrayError

__all__ = ["existing", "one_model"]


def one_model(paths: Sequence[str]) -> Path | None:
    """The model that is meant by a single path: a file, a folder of another framework, or the only one in a folder.

    None where there are, or may be, many: several paths, a folder with several, an archive, a hub, a pattern.

    Raises:
        OnnxrayError: there is no such file; or it is a pickle.
    """
    from ..catalog.hub_address import is_address

    if len(paths) != 1 or is_address(paths[0]):
        return None
    path = Path(paths[0])
    if not os.path.exists(path):  # unlike Path.exists, silent about names that are too long
        return None if has_magic(paths[0]) else existing(path)
    return _only_model(path) if os.path.isdir(path) else None if _holds_models(path) else path


def _holds_models(path: Path) -> bool:
    """Whether a file holds or lists models."""
    from ..catalog.manifest_files import is_manifest
    from ..catalog.unpacking import is_archive
    from ..catalog.zoo_manifest import is_zoo_manifest

    return is_archive(path.name) or is_manifest(path.name) or is_zoo_manifest(path)


def _only_model(folder: Path) -> Path | None:
    """The folder where it is a model of another framework, or the only model in it; None if there may be more."""
    from ...converters.sources import find
    from ..catalog.unpacking import is_archive

    if find(folder):
        return folder
    held = (p for p in folder.rglob("*") if (p.suffix.lower() == ".onnx" or is_archive(p.name)) and p.is_file())
    found = list(islice(held, 2))
    return found[0] if len(found) == 1 and not is_archive(found[0].name) else None


def existing(path: Path) -> Path:
    """The path itself.

    Raises:
        OnnxrayError: there is nothing at it.
    """
    if not os.path.exists(path):
        raise OnnxrayError(f"{one_line(path)}: there is no such file or folder; check the path")
    return path
