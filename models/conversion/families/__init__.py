"""Families of whole models, one a file: each module gives, lazily, a name and a function that exports one ONNX file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator

__all__ = ["Recipe", "family", "names"]

Recipe = Callable[[str], None]
"""Writes an ONNX file to the path that it is given, or raises what the framework's exporter raises."""


def names() -> list[str]:
    """All families, such as "timm"."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def family(name: str) -> Iterator[tuple[str, Recipe]]:
    """The models of a family: (name, recipe).

    Raises:
        ImportError: a package that the family is made with is not installed.
    """
    models: Callable[[], Iterator[tuple[str, Recipe]]] = importlib.import_module(f".{name}", __name__).models
    return models()
