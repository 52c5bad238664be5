"""How the scans themselves went: the invocation of a SARIF run, its notifications and its artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from ..answers import Answer, State
from ._moments import iso, moment
from ._places import location_of
from ._sarif_rules import Rules
from ._sarif_text import message

__all__ = ["NOTIFICATIONS", "artifacts_of", "notifications_of", "span"]

Object = dict[str, Any]

_KINDS = {
    "check-failed": ("error", "A check that was due on a model broke."),
    "check-skipped": ("warning", "A check that was due on a model could not be run."),
    "model-failed": ("error", "The scan of a model ended without a report."),
    "model-unscanned": ("error", "There was nothing that a scan could be given."),
    "model-waiting": ("warning", "A model waits for its scan."),
    "check-not-due": ("note", "A method that is not made for such a model, or that found nothing in it to look at."),
}
_PLACES = {kind: place for place, kind in enumerate(_KINDS)}

NOTIFICATIONS: list[Object] = [
    {"id": kind, "shortDescription": {"text": says}, "defaultConfiguration": {"level": level}}
    for kind, (level, says) in _KINDS.items()
]
"""Descriptors of all that ``notifications_of`` tells."""


def artifacts_of(answer: Answer, first: int) -> Iterator[Object]:
    """The model under each of its names, so that every model is accounted for.

    Args:
        first: place of its first name among the run's artifacts.
    """
    for place, name in enumerate(answer.names, start=first):
        known: Object = {"location": location_of(name, place), "roles": ["analysisTarget"]}
        if answer.sha256:
            known |= {"length": answer.size_bytes, "hashes": {"sha-256": answer.sha256}}
        score = {"score": answer.report.verdict.score} if answer.report else {}
        yield known | {"properties": {"verdict": answer.label, **score, "group": answer.group, **answer.origin}}


def notifications_of(answer: Answer, place: Object, rules: Rules) -> Iterator[Object]:
    """What was not checked: each check that was skipped, broke or was not due, or the whole model."""
    if answer.state is not State.DONE or answer.report is None:
        yield _notification(answer, f"model-{answer.state}", f"{answer.name}: {answer.why or answer.label}", place)
        return
    for check in answer.report.coverage:
        if check.status != "ran":
            kind = f"check-{check.outcome.replace(' ', '-')}"
            told = _notification(answer, kind, f"{answer.name}, {check.check}: {check.why}", place)
            rule = check.check.removeprefix("rule ")
            if (index := rules.place(rule)) is not None:
                told["associatedRule"] = {"id": rule, "index": index}
            yield told


def _notification(answer: Answer, kind: str, text: str, place: Object) -> Object:
    ended = moment(answer.ended)
    return {
        "descriptor": {"id": kind, "index": _PLACES[kind]},
        "level": _KINDS[kind][0],
        "message": message(text),
        "locations": [{"physicalLocation": {"artifactLocation": place}}],
        **({"timeUtc": iso(ended)} if ended else {}),
    }


def span(answer: Answer) -> tuple[str, str] | None:
    """When the scan began and ended, ISO 8601 in UTC; None where that is not known."""
    ended = moment(answer.ended)
    try:
        return (iso(ended - timedelta(seconds=answer.seconds)), iso(ended)) if ended else None
    except OverflowError:  # longer than there are years
        return None
