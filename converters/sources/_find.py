"""Which framework a path belongs to."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ..messages import one_line
from . import Framework
from ._pickles import refuse_pickles

__all__ = ["accepted", "find", "frameworks"]


@cache
def frameworks() -> dict[str, Framework]:
    """Return one of each framework, module's name -> instance, in order of name; none of them is loaded.

    Raises:
        TypeError: a module defines no `Framework` or more than one (a mistake of the module's author).
    """
    package = __name__.rpartition(".")[0]
    modules = [m.name for m in pkgutil.iter_modules(import_module(package).__path__) if not m.name.startswith("_")]
    return {name: _sole(f"{package}.{name}") for name in sorted(modules)}


def find(path: Path) -> Framework | None:
    """Return the framework that recognises the file or folder; None for ONNX files and for all unknown ones.

    Raises:
        Refused: it is a pickle.
    """
    if path.suffix.lower() == ".onnx":
        return None
    refuse_pickles(path)
    return next((framework for framework in frameworks().values() if framework.recognises(path)), None)


def accepted() -> str:
    """Return what can be converted, for people: "name (suffixes), ..."."""
    return ", ".join(f"{f.name} ({' '.join(f.suffixes)})" if f.suffixes else f.name for f in frameworks().values())


def _sole(module: str) -> Framework:
    found = [
        value for value in vars(import_module(module)).values()
        if isinstance(value, type) and issubclass(value, Framework) and value.__module__ == module
    ]  # fmt: skip
    if len(found) != 1:
        raise TypeError(f"{one_line(module)}: expected exactly one Framework, got {[f.__name__ for f in found]}")
    return found[0]()
