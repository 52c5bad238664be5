"""Pictures in a folder with one sub-folder per class, and the decoding of a single picture file."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..converters.messages import one_line
from .errors import SamplesError
from .image_arrays import unit_range
from .images import Listing, Picture

__all__ = ["decode", "list_folder", "read_files"]

# Only formats with a memory-safe reputation and no interpreter: PIL would hand an .eps to Ghostscript.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError)


def list_folder(path: Path) -> Listing:
    """The pictures below ``path/CLASS/``, at any depth.

    A class's index is its place among the sorted names of the sub-folders, or the name itself where all are whole
    numbers. Hidden files, and folders that start with "." or "__", do not count.

    Raises:
        SamplesError: no class folders, or no pictures in them.
    """
    try:
        folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))
    except OSError as error:
        raise SamplesError(f"{path}: cannot be opened ({one_line(error.strerror)})") from None
    if not folders:
        raise SamplesError(f"{path}: expected one sub-folder of images per class, got no sub-folder")
    numbered = all(p.name.isascii() and p.name.isdecimal() for p in folders)
    found = [
        (file, int(folder.name) if numbered else i) for i, folder in enumerate(folders) for file in _pictures(folder)
    ]
    if not found:
        raise SamplesError(f"{path}: no images in its {len(folders)} class folders; expected {sorted(_ENDINGS)}")
    files = [file for file, _ in found]
    names = () if numbered else tuple(p.name for p in folders)
    labels = np.array([label for _, label in found], np.int64)
    return Listing(labels, names, lambda chosen: read_files([files[i] for i in chosen]), by_name=not numbered)


def _pictures(folder: Path) -> list[Path]:
    files = [p for p in folder.rglob("*") if p.suffix.lower() in _ENDINGS and p.is_file()]
    return sorted(p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def read_files(files: list[Path]) -> list[Picture]:
    """Decode these picture files.

    Raises:
        SamplesError: a file is missing (names the first, counts the rest) or broken.
    """
    missing = [file for file in files if not os.path.isfile(file)]  # silent about names that are too long
    if missing:
        raise SamplesError(f"{one_line(missing[0])}: no such image file ({len(missing)} of {len(files)} are missing)")
    return [decode(file, str(file)) for file in files]


def decode(file: Path | bytes, name: str) -> Picture:
    """One picture, upright: (H, W) if grey, else (H, W, 3) RGB; palette and alpha are resolved, 16-bit becomes float.

    Raises:
        SamplesError: not one of the known formats, broken, or larger than PIL's limit against decompression bombs.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(file) if isinstance(file, bytes) else file, formats=_FORMATS) as image:
                return _array(ImageOps.exif_transpose(image), name)
    except _BOMB as error:
        raise SamplesError(
            f"{name}: image too large ({one_line(error) or 'out of memory'}); leave it out or shrink it"
        ) from None
    except _BROKEN as error:
        raise SamplesError(f"{name}: cannot be decoded as an image ({one_line(error)}); replace or remove it") from None


def _array(image: Image.Image, name: str) -> Picture:
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode.startswith("I;16"):
        return np.asarray(image, dtype=np.float32) / np.float32(65535)
    if image.mode in ("I", "F"):
        return unit_range(np.asarray(image), name)
    return np.asarray(image.convert("RGB"))
