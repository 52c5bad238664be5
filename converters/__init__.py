"""Everything that knows ONNX; nothing here knows what a backdoor is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ModelError, NotAClassifier, OnnxrayError, TwinError

if TYPE_CHECKING:
    from .facts import ModelFacts, TensorSpec
    from .model import Model, open_model
    from .parity import Parity
    from .patch import PatchSummary, patch_weights, save

__all__ = [
    "Model", "ModelError", "ModelFacts", "NotAClassifier", "OnnxrayError", "Parity", "PatchSummary", "TensorSpec",
    "TwinError", "open_model", "patch_weights", "save",
]  # fmt: skip

_HOME = {
    "Model": "model", "ModelFacts": "facts", "Parity": "parity", "PatchSummary": "patch", "TensorSpec": "facts",
    "open_model": "model", "patch_weights": "patch", "save": "patch",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what needs numpy when it is first asked for: the command line's help does not."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
