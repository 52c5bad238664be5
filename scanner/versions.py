"""What a report's numbers depend on besides the model and the data."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from .version import __version__

__all__ = ["versions"]

_PACKAGES = ("numpy", "onnx", "onnx2torch", "onnxruntime", "onnxruntime-gpu", "torch")


def versions() -> dict[str, str]:
    """Versions of the tool, of Python and of the libraries that compute, as installed."""
    found = {"onnxray": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
