"""A model and its external data written as a whole: no reader ever sees half a file, and no original is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import ModelError
from .messages import one_line
from .whole_file import replace_file

__all__ = ["write_copy"]


def write_copy(out: Path, content: bytes, external: Mapping[str, bytes], originals: Iterable[Path]) -> tuple[Path, ...]:
    """Write the external files beside `out`, then `out` itself, and return the paths of the former.

    Args:
        out: the model; replaced if it is there.
        content: its bytes.
        external: location relative to the folder of `out`, already known to lie in it by its name -> bytes.
        originals: files that must stay as they are.

    Raises:
        ModelError: a file would replace an original, another model's data, or one outside the folder; or the disk
            refuses.
    """
    kept = {path.resolve() for path in originals}
    if out.resolve() in kept:
        raise ModelError(f"{out}: is the original, which is never modified; name another file")
    try:
        targets = {_target(out, location, data, kept): data for location, data in external.items()}
        for path, data in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, [data])
        replace_file(out, [content])
    except OSError as error:
        raise ModelError(f"{out}: cannot be written ({error.strerror or error}); check the folder") from None
    return tuple(targets)


def _target(out: Path, location: str, data: bytes, kept: set[Path]) -> Path:
    folder = out.absolute().parent
    path = folder / location
    what = f"{out}: its weights in {one_line(location)!r} would"
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{what} lie behind a link out of the folder; write into another folder")
    if path.resolve() in kept:
        raise ModelError(f"{what} replace the original's, which are never modified; write into another folder")
    if path == out.absolute() or (path.exists() and path.read_bytes() != data):
        raise ModelError(f"{what} replace a file that is there; write into another folder")
    return path
