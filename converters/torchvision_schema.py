"""Import torchvision beside a torch that its binary part does not fit.

onnx2torch imports torchvision for two operators that no classifier has. Beside a CPU-only torch the torchvision of the
Python package index cannot load its binary part, and the import itself dies with "operator torchvision::nms does not
exist". Declaring the operators that the import looks up is enough; calling one still fails, and says so.
"""

from __future__ import annotations

import importlib

import torch

__all__ = ["import_torchvision"]

_ARGUMENTS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")  # torchvision 0.28 looks up both
_declared: list[torch.library.Library] = []  # the declarations live as long as this object


def import_torchvision() -> None:
    """Import torchvision, declaring its operators first if it cannot import without."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        if not _declared:
            _declared.append(_declare())
        importlib.import_module("torchvision")


def _declare() -> torch.library.Library:
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in _OPERATORS:
        library.define(name + _ARGUMENTS)  # type: ignore[no-untyped-call]
    return library
