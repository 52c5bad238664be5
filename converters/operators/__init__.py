"""Operators that onnx2torch lacks or gets wrong, one family a file; a file counts by being in this folder.

A file holds the torch modules and a function ``(node, graph) -> OperationConverterResult`` under `@operator`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from ..torchvision_schema import import_torchvision

import_torchvision()  # onnx2torch cannot be imported without

from onnx2torch.node_converters import registry  # noqa: E402
from onnx2torch.onnx_graph import OnnxGraph  # noqa: E402
from onnx2torch.onnx_node import OnnxNode  # noqa: E402
from onnx2torch.utils.common import OperationConverterResult  # noqa: E402

__all__ = ["operator", "register"]

Converter = Callable[[OnnxNode, OnnxGraph], OperationConverterResult]


def operator(name: str, *since: int) -> Callable[[Converter], Converter]:
    """Register a converter of an ONNX operator for the opsets in which its definition changed.

    It goes before onnx2torch's own, whose `add_converter` refuses a second one; doing it again changes nothing.
    """

    def add(converter: Converter) -> Converter:
        for version in since:
            registry._CONVERTER_REGISTRY[registry.OperationDescription("", name, version)] = converter
        return converter

    return add


def register() -> None:
    """Import every module of this folder, which registers its operators."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f".{module.name}", __name__)
