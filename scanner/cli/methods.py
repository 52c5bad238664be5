"""Options of single methods from files of settings: ``[detectors.neural-cleanse] steps = 500``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import rich_click as click

from ...converters.messages import one_line
from ..closest import did_you_mean
from ..config_files import ConfigFile, Origin
from ..errors import OptionError
from ..registry import build, names, plugins

__all__ = ["METHODS", "check_methods", "methods_for", "methods_in"]

METHODS = "onnxray.methods"
"""Key of click's ``Context.meta``: the answer of ``methods_in``."""
FAMILIES = {"detectors": "Detector", "executors": "Executor", "repairs": "Repair"}
SCANNERS = ("neural-cleanse", "patch-search")  # with which a repair scans

Options = dict[str, dict[str, object]]


def methods_in(files: Sequence[ConfigFile]) -> dict[str, Options]:
    """What the files set: family -> id -> option -> value; a later file wins.

    Raises:
        OptionError: there is no such method, or a project's file sets an executor, which may be another machine.
    """
    found: dict[str, Options] = {family: {} for family in FAMILIES}
    for file, family, name, options in _tables(files):
        where, known = f"{one_line(file.path)}: {family}.{one_line(name)}", names(_package(family))
        if name not in known:
            raise OptionError(f"{where}: there is no such method{did_you_mean(name, known)}")
        if not isinstance(options, dict):
            raise OptionError(f"{where}: expected a table [{family}.{name}]")
        if family == "executors" and file.origin is Origin.PROJECT:
            raise OptionError(f"{where}: not taken from a project's file, which may be a stranger's; use --set")
        found[family].setdefault(name, {}).update(options)
    return found


def check_methods(files: Sequence[ConfigFile]) -> None:
    """Refuse options that a method does not have; imports the methods that the files name.

    Raises:
        OptionError: an option is unknown or its value of a wrong type.
    """
    for file, family, name, options in _tables(files):
        plugin = _plugin(family, name)
        known = list(getattr(plugin, "__dataclass_fields__", {}))
        for key, value in options.items():
            where = f"{one_line(file.path)}: {family}.{name}.{one_line(key)}"
            if key not in known:
                raise OptionError(f"{where}: there is no such option{did_you_mean(key, known)}")
            try:
                build(plugin, {key: value})
            except OptionError as error:
                raise OptionError(f"{where}: {one_line(error)}") from None


def methods_for(context: click.Context) -> Options:
    """Of what the files set, what the command at hand uses: options for other methods would be a mistake of its."""
    if context.resilient_parsing:  # a completion, which imports nothing
        return {}
    found: Mapping[str, Options] = context.meta.get(METHODS, {})
    if not any(found.values()):  # so that no method has to be imported
        return {}
    return {
        name: dict(options)
        for family, chosen in _chosen(context).items()
        for name, options in found.get(family, {}).items()
        if name in chosen
    }


def _chosen(context: click.Context) -> dict[str, Sequence[str]]:
    """The methods that a command runs, by family, as far as its flags say; these are read before --set."""
    given = context.params
    match context.command_path.split()[1:]:
        case ["scan"]:
            detectors = [*(given.get("detectors") or _usual()), *(given.get("also") or ())]
            return {"detectors": detectors, "executors": [given.get("executor") or "local"]}
        case ["repair"]:
            return {"repairs": _repairs(given), "detectors": SCANNERS}
        case ["filter"]:
            return {"repairs": ["filter"], "detectors": SCANNERS}
    return {}


def _usual() -> list[str]:
    from ..detectors import Detector

    known = plugins(_package("detectors"), Detector)  # type: ignore[type-abstract]
    return [name for name, detector in known.items() if not detector.on_request]


def _repairs(given: Mapping[str, Any]) -> list[str]:
    if given.get("method") != "auto":
        return [given.get("method", "")]
    from ..repairs import Repair, Requires

    known = plugins(_package("repairs"), Repair)  # type: ignore[type-abstract]
    wanted = bool(given.get("training_data"))
    return [name for name, repair in known.items() if repair.rank or (wanted and Requires.TRAINING in repair.needs)]


def _tables(files: Sequence[ConfigFile]) -> Iterator[tuple[ConfigFile, str, str, Any]]:
    for file in files:
        for family in FAMILIES:
            for name, options in file.table.get(family, {}).items():
                yield file, family, name, options


def _plugin(family: str, name: str) -> type[Any]:
    from importlib import import_module

    return plugins(_package(family), getattr(import_module(_package(family)), FAMILIES[family]))[name]


def _package(family: str) -> str:
    return f"onnxray.scanner.{family}"
