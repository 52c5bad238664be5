"""Before and after of a repair, from the JSON object of ``onnxray repair -f json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...reports._words import percent

__all__ = ["Change", "Repair", "repair_of"]


@dataclass(frozen=True)
class Change:
    """One figure before and after, in words and in [0, 100]; ``wanted`` says which way is good."""

    name: str
    before: float
    after: float | None
    before_words: str
    after_words: str
    wanted: str


@dataclass(frozen=True)
class Repair:
    """What was done, what it changed, what was tried, and what the reader should know."""

    repaired: bool
    summary: str
    changes: list[Change]
    attempts: list[tuple[str, str, str]]
    notes: list[str]


def repair_of(told: Mapping[str, Any]) -> Repair:
    """The repair as plain values; what is missing from the object is left out."""
    repaired = bool(told.get("repaired"))
    edited, added = told.get("edited") or {}, told.get("added_nodes") or 0
    done = f"{added} nodes added" if added else f"{sum(edited.values())} elements of {len(edited)} weights changed"
    written = f"Written as {told.get('output')} by {told.get('method')}: {done}.{_rescan(told)}"
    return Repair(
        repaired=repaired,
        summary=written if repaired else _refusal(told),
        changes=list(_changes(told.get("before"), told.get("after"))),
        attempts=[_attempt(a) for a in told.get("attempts") or ()],
        notes=[str(note) for note in told.get("notes") or ()],
    )


def _rescan(told: Mapping[str, Any]) -> str:
    """What the scan of the result that was written says, as a sentence."""
    tried = [a for a in told.get("attempts") or () if a.get("method") == told.get("method") and not a.get("problem")]
    kept = [a for a in tried if a.get("evaluation") == told.get("after")] or tried
    label = kept[-1].get("rescan") if kept else None
    return f" A scan of the result with a fresh seed says: {label}." if label else ""


def _refusal(told: Mapping[str, Any]) -> str:
    return f"Not repaired: {told.get('reason') or 'no reason was told'}. Nothing was written."


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Change]:
    if not before:
        return
    yield _change(
        "clean accuracy", before["clean_accuracy"], after["clean_accuracy"] if after else None, "high is good"
    )
    rates = [a["rate"] for a in after["attacks"]] if after else []
    groups: dict[str, list[int]] = {}
    for place, attack in enumerate(before["attacks"]):
        groups.setdefault(_attack(attack), []).append(place)
    for name, places in groups.items():
        worst = max(before["attacks"][place]["rate"] for place in places)
        left = max((rates[place] for place in places if place < len(rates)), default=None)
        several = f" (worst of {len(places)} triggers)" if len(places) > 1 else ""
        yield _change(f"{name}{several}", worst, left, "low is good")


def _attack(told: Mapping[str, Any]) -> str:
    """What an attack does; one that moves every class has a ``mapping``, and its ``target`` is only that of class 0."""
    return f"attack on class {told['target']}" if told.get("mapping") is None else "attack that moves every class"


def _change(name: str, before: float, after: float | None, wanted: str) -> Change:
    words = "-" if after is None else percent(after)
    return Change(name, 100 * before, None if after is None else 100 * after, percent(before), words, wanted)


def _attempt(told: Mapping[str, Any]) -> tuple[str, str, str]:
    """Method with its round, what came of it, and the verdict of a scan of the result."""
    name = f"{told.get('method')}, round {told.get('round')}"
    return name, str(told.get("problem") or told.get("note") or ""), str(told.get("rescan") or "-")
