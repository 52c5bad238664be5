"""One line of JSON for each model, for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ..answers import Answer
from . import Document
from ._json import dumps

__all__ = ["Jsonl"]


@dataclass(frozen=True, kw_only=True)
class Jsonl(Document):
    """A line for each model: its report, or why there is none.

    A model with a report has the report's own object (``onnxray/report/1``) with one key more, ``catalog``: its names,
    its group and how the scan went. Any other has ``{"schema": "onnxray/answer/1", "state", "code", "why", ...}`` with
    the same keys beside these.
    """

    def render(self, answers: Iterable[Answer]) -> Iterator[str]:
        """See ``Document.render``."""
        for answer in answers:
            yield dumps(_line(answer), -1) + "\n"


def _line(answer: Answer) -> dict[str, Any]:
    if answer.report is not None:
        return {**msgspec.to_builtins(answer.report, str_keys=True), "catalog": _catalog(answer)}
    told = {"state": str(answer.state), "code": answer.code, "why": answer.why}
    return {"schema": "onnxray/answer/1", **told, **_catalog(answer)}


def _catalog(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "names": list(answer.names),
        "group": answer.group,
        "sha256": answer.sha256,
        "bytes": answer.size_bytes,
        "seconds": answer.seconds,
        "tries": answer.tries,
        "ended": answer.ended,
        "worker": answer.worker,
        "origin": dict(answer.origin),
        "repair": answer.repair,
        "suppressed": {
            code: {"reason": s.reason, "model": s.model, "expires": s.expires.isoformat() if s.expires else None}
            for code, s in sorted(answer.suppressed.items())
        },
    }
