"""The ONNX model zoo's own manifest: a list of models with the hashes that they should have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import msgspec

from ...converters.identity import digest
from ...converters.messages import one_line
from ..errors import OptionError
from . import Entry, Unscanned
from .archives import models_in_archive
from .members import unsafe_name
from .naming import printable, without_path

__all__ = ["is_zoo_manifest", "named_by_zoo"]

_LARGEST = 1 << 26
_SPACE = b" \t\r\n\xef\xbb\xbf"


class _Metadata(msgspec.Struct, frozen=True):
    """What matters here of an entry's metadata."""

    model_sha: str = ""
    tags: tuple[str, ...] = ()
    model_with_data_path: str = ""
    model_with_data_sha: str = ""


class _Model(msgspec.Struct, frozen=True):
    """One entry."""

    model_path: str
    model: str = ""
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)

    @property
    def classifies(self) -> bool:
        return "classification" in (*self.metadata.tags, *PurePosixPath(self.model_path).parts)


def is_zoo_manifest(path: Path) -> bool:
    """Whether a file is a list in JSON, which none of the models in JSON is."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip(_SPACE).startswith(b"[")
    except OSError:
        return False


def named_by_zoo(manifest: Path, told: Callable[[str], None]) -> Iterator[Entry | Unscanned]:
    """The classifiers that the manifest names, from the files beside it: ``model_path``, the same as ``onnx.hub``
    keeps it, or the archive with test data.

    Args:
        manifest: an ONNX_HUB_MANIFEST.json.
        told: called with how many entries are left out, as they are no classifiers.

    Raises:
        OptionError: it cannot be read, or has another form.
    """
    models = _read(manifest)
    chosen = [model for model in models if model.classifies]
    if len(chosen) < len(models):
        others = len(models) - len(chosen)
        told(f"{printable(str(manifest))}: {others} entries are left out, as they are not tagged classification")
    for number, model in enumerate(chosen, 1):
        paths = [path for path in (model.model_path, model.metadata.model_with_data_path) if path]
        if why := next((why for path in paths if (why := unsafe_name(path))), ""):
            where = f"{manifest}: {model.model or number}"
            yield Unscanned(where, "manifest", f"{why}; do not trust this manifest")
        else:
            yield from _found(manifest, model)


def _found(manifest: Path, model: _Model) -> Iterator[Entry | Unscanned]:
    folder, name = manifest.absolute().parent, model.model_path
    sha256 = model.metadata.model_sha.lower()
    kept = PurePosixPath(name).with_name(f"{sha256}_{PurePosixPath(name).name}") if sha256.isalnum() else name
    origin = {"manifest": str(manifest), **({"model": model.model} if model.model else {})}
    for path in (folder / name, folder / kept):
        if path.exists() or path.is_symlink():
            yield Entry(name, path, "", 0, origin={**origin, **({"expected": sha256} if sha256 else {})})
            return
    archive = folder / model.metadata.model_with_data_path
    if archive != folder and archive.is_file():
        yield from _archived(archive, model)
    else:
        yield Unscanned(name, "missing", f"not beside {printable(manifest.name)}; download it")


def _archived(archive: Path, model: _Model) -> Iterator[Entry | Unscanned]:
    name, expected = model.metadata.model_with_data_path, model.metadata.model_with_data_sha.lower()
    try:
        found = digest(archive)[0]
    except OSError as error:
        yield Unscanned(name, "unreadable", without_path(error, archive))
        return
    if expected and found != expected:
        yield Unscanned(name, "manifest", f"its sha256 is {found}, but the manifest says {one_line(expected, 64)}")
    else:
        yield from models_in_archive(archive, name, expected=True)


def _read(manifest: Path) -> list[_Model]:
    try:
        with manifest.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise OptionError(f"{manifest}: larger than 64 MiB; is it a manifest?")
        return msgspec.json.decode(content, type=list[_Model])
    except OSError as error:
        raise OptionError(f"{manifest}: cannot be read ({error.strerror}); check the path") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = one_line(error)
        raise OptionError(
            f"{manifest}: not a manifest of the ONNX model zoo ({what}); expected ONNX_HUB_MANIFEST.json"
        ) from None
