"""Where the bundled pair and its pictures lie once the package is installed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..scanner.errors import OptionError

__all__ = ["bundled"]


def bundled(name: str) -> Path:
    """The path of a bundled file: "clean.onnx", "trojaned.onnx", "samples.npz", "truth.json" or "NOTICE".

    Raises:
        OptionError: there is no such file; names those that there are.
    """
    folder = Path(str(files("onnxray.models"))) / "bundled"
    if not (folder / name).is_file():
        there = sorted(file.name for file in folder.iterdir())
        raise OptionError(f"bundled file: expected one of {there}, got {name!r}")
    return folder / name
