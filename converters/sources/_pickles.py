"""Pickles are refused, whatever their name: loading one runs whatever code it holds."""

from __future__ import annotations

import zipfile
from pathlib import Path

from . import Refused

__all__ = ["entries", "refuse_pickles", "starts_with"]

_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
_PROTOCOLS = tuple(bytes([0x80, version]) for version in range(2, 6))
_TORCH = (".pt", ".pth", ".bin", ".ckpt", ".tar")
_TORCH_WAY = (
    "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2'), or save its weights with "
    "safetensors.torch.save_file"
)
_SKLEARN_WAY = "skops.io.dump(model, 'model.skops') for scikit-learn, save_model for XGBoost and LightGBM"


def refuse_pickles(path: Path) -> None:
    """Raise `Refused` where a file is a pickle or holds one that its framework would load; the content decides.

    TorchScript and exported programs hold pickles too, of plain data: their own modules check and restrict them.
    """
    what = _pickle_in(path)
    if what is None:
        return
    way = _TORCH_WAY if "torch" in what or path.suffix.lower() in _TORCH else _SKLEARN_WAY
    raise Refused(
        f"{path}: refused: it is {what}, which can run any code when it is loaded. If you trust it, load it in the "
        f"program that made it and save it again with {way}, or export it to ONNX there"
    )


def entries(path: Path) -> tuple[str, ...]:
    """Return the names inside a zip archive, without its single top folder; () for anything else."""
    if not starts_with(path, b"PK\x03\x04"):
        return ()
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ()
    tops = {name.partition("/")[0] for name in names}
    if len(tops) == 1 and all("/" in name for name in names):
        return tuple(name.partition("/")[2] for name in names)
    return tuple(names)


def starts_with(path: Path, *starts: bytes) -> bool:
    """Whether a regular file begins with one of these bytes; False where it cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(max(map(len, starts))).startswith(starts)
    except (OSError, ValueError):
        return False


def _pickle_in(path: Path) -> str | None:
    """What kind of pickle this is, in words."""
    suffix = path.suffix.lower()
    if starts_with(path, *_PROTOCOLS):
        return "a pickle of torch.save" if suffix in _TORCH else "a Python pickle"
    if suffix in _SUFFIXES and path.is_file():
        return "a Python pickle"
    names = entries(path)
    pickles = [name for name in names if name.endswith((".pkl", ".pickle"))]
    if not pickles or _is_script(names) or "archive_format" in names:
        return None
    return "a pickle of torch.save" if "data.pkl" in pickles else f"an archive with a pickle inside ({pickles[0][:60]})"


def _is_script(names: tuple[str, ...]) -> bool:
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)
