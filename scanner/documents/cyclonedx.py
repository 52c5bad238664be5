"""A CycloneDX 1.6 bill of materials of models (ML-BOM), in JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from ..answers import Answer
from ..contract import LIMITS, Contract
from ..findings import Label
from ..reports._words import meaning
from ..suppressions import accepted
from ..version import __version__
from . import Document
from ._cyclonedx_parts import component_of, property_of
from ._json import dumps
from ._moments import iso, moment
from ._reasons import ADVICE, SEVERITY
from ._text import visible

__all__ = ["Cyclonedx"]

Object = dict[str, Any]
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
SERIALS = UUID("8f1f7a34-6f0b-5b0e-9c5e-2d1c7a0b6e11")  # name space of the serial numbers; drawn once, never changed
STATES = {Label.BACKDOORED: "exploitable", Label.SUSPICIOUS: "in_triage"}
WEAKNESSES = [506, 912]  # CWE: embedded malicious code, hidden functionality
LONGEST = 4000


@dataclass(frozen=True, kw_only=True)
class Cyclonedx(Document):
    """A component with a model card for each model, and a vulnerability for each that is backdoored or suspicious.

    A backdoor is "exploitable", a suspicion "in_triage". What a user has accepted keeps its state, with the response
    "will_not_fix" and the reason. Time and serial number come from the answers: the same give the same bytes.
    """

    def render(self, answers: Iterable[Answer]) -> Iterator[str]:
        """See ``Document.render``."""
        bill = _Bill()
        for answer in answers:
            bill.add(answer)
        yield dumps(bill.written()) + "\n"


@dataclass
class _Bill:
    """What is kept of the answers that have passed."""

    components: list[Object] = field(default_factory=list)
    vulnerabilities: list[Object] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    refs: Counter[str] = field(default_factory=Counter)
    ended: str = ""

    def add(self, answer: Answer) -> None:
        ref = self._ref(answer)
        self.components.append(component_of(answer, ref))
        if answer.report is not None and answer.report.verdict.label in STATES:
            self.vulnerabilities.append(_vulnerability(answer, answer.report, ref))
        self.labels[answer.label] += 1
        if ended := moment(answer.ended):
            self.ended = max(self.ended, iso(ended))

    def _ref(self, answer: Answer) -> str:
        """Stable from document to document: of the bytes, or of the name where there are none; unique in this one."""
        named = sha256(answer.name.encode("utf-8", "backslashreplace")).hexdigest()
        ref = f"model:{answer.sha256}" if answer.sha256 else f"name:{named}"
        self.refs[ref] += 1
        return ref if self.refs[ref] == 1 else f"{ref}:{self.refs[ref]}"

    def written(self) -> Object:
        tool = {"type": "application", "bom-ref": "onnxray", "name": "onnxray", "version": __version__}
        counts = [property_of(f"verdicts:{label}", count) for label, count in sorted(self.labels.items())]
        metadata = {
            **({"timestamp": self.ended} if self.ended else {}),
            "tools": {"components": [tool]},
            "properties": [property_of("limits", LIMITS), *counts],
        }
        content = {"metadata": metadata, "components": self.components, "vulnerabilities": self.vulnerabilities}
        serial = uuid5(SERIALS, sha256(dumps(content, -1).encode()).hexdigest())
        head = {"$schema": SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}"}
        return {**head, "version": 1, **content}


def _vulnerability(answer: Answer, report: Contract, ref: str) -> Object:
    verdict = report.verdict
    severity, source = SEVERITY[verdict.label], {"name": "onnxray"}
    code = visible(verdict.reasons[0] if verdict.reasons else str(verdict.label))
    ended = moment(answer.ended)
    return {
        "bom-ref": f"finding:{ref}",
        "id": f"onnxray-{code}-{answer.sha256[:16]}",
        "source": source,
        "ratings": [{"source": source, "severity": str(severity), "method": "other"}],
        "cwes": WEAKNESSES,
        "description": visible(meaning(report), LONGEST),
        "detail": visible(" ".join(verdict.explanations), LONGEST),
        "recommendation": ADVICE[severity].replace("`", ""),
        **({"updated": iso(ended)} if ended else {}),
        "analysis": _analysis(answer, STATES[verdict.label]),
        "affects": [{"ref": ref}],
        "properties": [
            property_of("score", f"{verdict.score:.4f}"),
            *(property_of("target", t) for t in verdict.targets),
        ],
    }


def _analysis(answer: Answer, state: str) -> Object:
    if not accepted(answer):
        return {"state": state, "detail": LIMITS}
    held = [(code, s) for code, s in sorted(answer.suppressed.items())]
    told = [f"{code}: {s.reason}" + (f" (until {s.expires})" if s.expires else "") for code, s in held]
    return {"state": state, "response": ["will_not_fix"], "detail": visible(f"Accepted: {'; '.join(told)}", LONGEST)}
