"""The options that a catalog's manifest sets for one model: plain values become ``ScanOptions``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from ..catalog import Entry
from ..config import ScanOptions
from ..domain_overrides import DomainOverrides
from ..errors import OptionError
from ..registry import names

__all__ = ["checked", "detectors", "options_of"]

_DEVICES = ("auto", "cpu", "cuda")
_MOST_SEED = 1 << 31


def options_of(entry: Entry, usual: ScanOptions) -> ScanOptions:
    """The usual options, with what the entry sets in their place; texts are read as each option's type.

    Besides the fields of ``ScanOptions`` and ``DomainOverrides`` an entry may set "DETECTOR.OPTION".

    Raises:
        OptionError: an unknown option or a wrong value, naming the entry.
    """
    if not entry.options:
        return usual
    try:
        return checked(_replaced(usual, entry.options))
    except OptionError as error:
        raise OptionError(f"{entry.name}: {error}") from None


def checked(options: ScanOptions) -> ScanOptions:
    """The same options.

    Raises:
        OptionError: a value that no scan can use.
    """
    if options.samples < 2:
        raise OptionError(f"expected at least 2 samples, got {options.samples}")
    if not 0 <= options.seed <= _MOST_SEED:
        raise OptionError(f"expected a seed in 0..{_MOST_SEED}, got {options.seed}")
    if options.device not in _DEVICES:
        raise OptionError(f"expected a device among {', '.join(_DEVICES)}, got {options.device!r}")
    if options.max_seconds is not None and not 0 < options.max_seconds < math.inf:
        raise OptionError(f"expected max_seconds above 0, got {options.max_seconds}")
    if wrong := sorted({*options.named, *options.settings} - set(detectors())):
        raise OptionError(f"there is no detector {wrong[0]!r}; there are {', '.join(detectors())}")
    if options.settings:
        _check_settings(options)
    return options


def _check_settings(options: ScanOptions) -> None:
    """Once, and not in the scan of every model; the methods themselves have to be imported for it."""
    from ..detection import plan

    plan(options)


@cache
def detectors() -> tuple[str, ...]:
    """The ids of all that are installed."""
    return tuple(names("onnxray.scanner.detectors"))


def _replaced(usual: ScanOptions, told: Mapping[str, object]) -> ScanOptions:
    scan, domain = _kinds(ScanOptions), _kinds(DomainOverrides)
    single = {name: value for name, value in told.items() if "." in name}
    if unknown := sorted(set(told) - set(single) - set(scan) - set(domain)):
        raise OptionError(f"there is no option {unknown[0]!r}; there are {', '.join(sorted({*scan, *domain}))}")
    given = {name: _read(name, value, scan[name]) for name, value in told.items() if name in scan}
    overrides = {name: _read(name, value, domain[name]) for name, value in told.items() if name in domain}
    chosen, also = given.get("detectors", ()), given.get("also", usual.also)
    # Where the entry chooses, what the batch sets for others is not this model's.
    inherited = {n: values for n, values in usual.settings.items() if not chosen or n in (*chosen, *also)}
    settings = _merged(given.pop("settings", inherited), single)
    return replace(usual, **given, settings=settings, overrides=replace(usual.overrides, **overrides))


def _kinds(owner: type) -> dict[str, Any]:
    """Name of each option -> its type; the overrides are named one by one, and every batch is tolerant."""
    hints = get_type_hints(owner)
    return {f.name: hints[f.name] for f in fields(owner) if f.name not in ("overrides", "tolerant")}


def _read(name: str, value: object, kind: Any) -> Any:
    if Path in get_args(kind):
        return Path(str(value))
    several = any(getattr(part, "__origin__", None) is tuple for part in (kind, *get_args(kind)))
    if several and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(f"{name}: {error}") from None


def _merged(settings: Mapping[str, Mapping[str, object]], single: Mapping[str, object]) -> dict[str, dict[str, object]]:
    merged = {detector: dict(values) for detector, values in settings.items()}
    for name, value in single.items():
        detector, _, option = name.partition(".")
        merged.setdefault(detector, {})[option] = value
    return merged
