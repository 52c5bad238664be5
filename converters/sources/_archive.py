"""Archives of torch: read once by us, written anew for torch, so that both see the same bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from ..errors import ModelError
from ..messages import one_line

__all__ = ["members", "packed"]

_MAX_UNPACKED = 2**26  # bytes; torch stores tensors uncompressed


def members(path: Path) -> dict[str, bytes]:
    """Return the entries of a torch archive, name without the top folder -> content.

    Raises:
        ModelError: it is damaged, has a name twice, or unpacks to far more than its size (a few bytes could fill
            memory).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [entry for entry in archive.infolist() if not entry.is_dir()]
            squeezed = [entry.file_size for entry in found if entry.compress_type != zipfile.ZIP_STORED]
            if sum(squeezed) > _MAX_UNPACKED:
                raise ModelError(f"{path}: unpacks to {sum(squeezed)} bytes of code; torch compresses code alone")
            contents = {entry.filename.partition("/")[2]: archive.read(entry) for entry in found}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: a damaged archive ({one_line(error)}); download or save it again") from None
    if len(contents) != len(found):
        raise ModelError(f"{path}: the archive has two entries of the same name; save it again with torch")
    return contents


def packed(contents: dict[str, bytes]) -> io.BytesIO:
    """Return a new archive of these entries, in memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(f"model/{name}", content)
    buffer.seek(0)
    return buffer
