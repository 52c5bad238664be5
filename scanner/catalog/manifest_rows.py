"""What one entry of a manifest may say, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...converters.messages import one_line
from ..closest import did_you_mean
from ..domain_overrides import DomainOverrides
from ..errors import OptionError
from ..registry import names

__all__ = ["Row", "row"]

_LISTS = ("mean", "std", "detectors", "also")
_DETECTORS = "onnxray.scanner.detectors"
Positive = Annotated[float, Meta(gt=0, lt=1e9)]
Text = Annotated[str, Meta(min_length=1)]
Numbers = float | list[float]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry; the fields of options are called as the flags of ``onnxray scan``.

    Attributes:
        model: a path, a pattern, an archive or an hf:// address; relative to the manifest.
        data, training_data: as ``--data`` and ``--training-data``; relative to the manifest.
        name: in place of the path; only where one model is named.
        group: what the model is shown with.
        settings: detector -> option -> value.
    """

    model: Text
    data: Text | None = None
    training_data: Text | None = None
    name: Text | None = None
    group: Text | None = None
    samples: Annotated[int, Meta(ge=2)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    max_seconds: Positive | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None
    detectors: list[str] | None = None
    also: list[str] | None = None
    settings: dict[str, dict[str, Any]] | None = None
    scores: Text | None = None
    layout: Text | None = None
    range: str | list[float] | None = None
    mean: Numbers | None = None
    std: Numbers | None = None
    bgr: bool | None = None

    def options(self) -> dict[str, object]:
        """The fields of ``ScanOptions`` and ``DomainOverrides`` that are set, by name, as plain values."""
        found = {name: getattr(self, name) for name in ("samples", "seed", "max_seconds", "device", "detectors",
                 "also", "settings", "scores", "layout", "bgr")}  # fmt: skip
        pair = self.range
        found["input_range"] = ",".join(f"{end:g}" for end in pair) if isinstance(pair, list) else pair
        for name in ("mean", "std"):
            value = getattr(self, name)
            found[name] = [value] if isinstance(value, float) else value
        return {name: value for name, value in found.items() if value is not None}


def row(values: Mapping[str, Any]) -> Row:
    """Read one entry; texts, as CSV has them, become what the fields are.

    Raises:
        OptionError: an unknown field, a wrong value, or values that contradict one another; without saying where.
    """
    given = {name: _several(name, value) for name, value in values.items() if "." not in name}
    for name, value in ((n, v) for n, v in values.items() if "." in n):
        detector, _, option = name.partition(".")
        given.setdefault("settings", {}).setdefault(detector, {})[option] = value
    if unknown := set(given) - set(Row.__struct_fields__):
        raise OptionError(_unknown("", min(unknown), Row.__struct_fields__))
    try:
        found = msgspec.convert(given, Row, strict=False)
    except msgspec.ValidationError as error:
        what, _, place = str(error).replace(" | null", "").partition(" - at `$.")
        raise OptionError(one_line(f"{place.rstrip('`')}: {what}" if place else what)) from None
    _require_sound(found)
    return found


def _several(name: str, value: Any) -> Any:
    if name in _LISTS and isinstance(value, str):
        return [part.strip() for part in value.replace(";", ",").split(",")]
    return value


def _require_sound(found: Row) -> None:
    """What no type tells."""
    told = found.options()
    DomainOverrides(
        layout=found.layout,
        input_range=told.get("input_range"),  # type: ignore[arg-type]
        mean=_tuple(told.get("mean")),
        std=_tuple(told.get("std")),
        bgr=found.bgr,
    )
    named = {*(found.detectors or ()), *(found.also or ()), *(found.settings or ())}
    if wrong := sorted(named - set(names(_DETECTORS))):
        raise OptionError(_unknown("detector ", wrong[0], names(_DETECTORS)))


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
    return f"there is no {what}{one_line(name)!r}{hint}"


def _tuple(value: object) -> tuple[float, ...] | None:
    return tuple(value) if isinstance(value, list) else None
