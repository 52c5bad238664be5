"""Methods found by their presence: one public module of a family holds exactly one plugin; the file name is its id."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import EntryPoints, entry_points
from typing import Any, TypeVar

import msgspec

from .closest import did_you_mean
from .errors import OptionError

Plugin = TypeVar("Plugin")


def plugins(package: str, kind: type[Plugin]) -> dict[str, type[Plugin]]:
    """All plugins of a family, id -> class, in order of id.

    Args:
        package: dotted name of the family's package, e.g. ``onnxray.scanner.detectors``.
        kind: the family's contract; the one subclass of it that a module defines is the plugin.

    Third parties join through the entry-point group ``onnxray.<family>``, one entry a plugin, its name the id.

    Raises:
        TypeError: a module defines no plugin or more than one (a mistake of the module's author).
    """
    found = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith("_"):
            found[module.name.replace("_", "-")] = _sole_plugin(f"{package}.{module.name}", kind)
    for entry in _third_parties(package):
        found[entry.name] = _checked(entry.load(), entry.value, kind)
    return dict(sorted(found.items()))


def names(package: str) -> list[str]:
    """The ids of a family's plugins, third parties' included, without importing any of them (for ``--help``)."""
    path = importlib.import_module(package).__path__
    own = [m.name.replace("_", "-") for m in pkgutil.iter_modules(path) if not m.name.startswith("_")]
    return sorted({*own, *(entry.name for entry in _third_parties(package))})


def build(plugin: type[Plugin], options: Mapping[str, object]) -> Plugin:
    """The plugin with these options; strings are read as the option's type ("500" for an int).

    Raises:
        OptionError: unknown option or wrong type, naming the plugin and what it has.
    """
    known = sorted(f.name for f in fields(plugin))  # type: ignore[arg-type]
    unknown = sorted(set(options) - set(known))
    if unknown:
        hint = did_you_mean(unknown[0], known)
        raise OptionError(f"{plugin.__name__} has no option {unknown}; it has {known}{hint}")
    try:
        return msgspec.convert(dict(options), plugin, strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(f"{plugin.__name__}: {error}") from None


def _third_parties(package: str) -> EntryPoints:
    return entry_points(group=f"onnxray.{package.rpartition('.')[2]}")


def _checked(plugin: object, where: str, kind: type[Plugin]) -> type[Plugin]:
    if not (isinstance(plugin, type) and issubclass(plugin, kind)):
        raise TypeError(f"{where}: expected a {kind.__name__}, got {plugin!r}")
    return plugin


def _sole_plugin(module_name: str, kind: type[Any]) -> type[Any]:
    module = importlib.import_module(module_name)
    own = [
        value for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, kind) and value.__module__ == module_name
    ]  # fmt: skip
    if len(own) != 1:
        raise TypeError(f"{module_name}: expected exactly one {kind.__name__}, got {[v.__name__ for v in own]}")
    return own[0]
