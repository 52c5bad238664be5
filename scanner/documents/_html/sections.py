"""One model's section as plain values, in the order in which a reader asks for them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...findings import Label
from ...reports._class_table import ROWS
from ...reports._words import class_label, meaning, percent
from .class_charts import Chart, chart
from .gallery import Gallery, Picture
from .model_facts import facts
from .path_graph import Drawing, drawing
from .repairs import Repair, repair_of
from .rows import Row, row_of

if TYPE_CHECKING:
    from ...answers import Answer
    from ...contract import Check, Contract, Finding, PoisonedSamples, Proof

__all__ = ["Section", "section_of"]

FEW = 5  # bars of a method where nothing is flagged and the model is clean
LISTED = 200  # suspicious samples listed

STATES = {
    "error": "The scan of this model ended without a report. It is unchecked, not clean.",
    "not scanned": "Nothing of this model could be scanned. It is unchecked, not clean.",
    "waiting": "This model was not scanned yet. It is unchecked, not clean.",
}


@dataclass(frozen=True)
class Gate:
    """What running the file told of one gate, with the class names in words, and its pictures."""

    proof: Proof
    before: str
    after: str
    held: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Samples:
    """Suspicious samples of a training set: one line for each label, pictures, and the list itself."""

    method: str
    groups: list[dict[str, str]]
    pictures: list[Picture]
    others: list[Picture]
    listed: list[list[str]]
    more: int


@dataclass(frozen=True)
class Section:
    """Everything that is told of one model."""

    row: Row
    open: bool
    meaning: str
    reasons: list[tuple[str, str]]
    accepted: list[tuple[str, str, str]]
    facts: list[tuple[str, str]]
    repair: Repair | None
    triggers: list[Picture] = field(default_factory=list)
    maps: list[Picture] = field(default_factory=list)
    other_maps: list[Picture] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    quiet: list[Chart] = field(default_factory=list)
    brief: bool = False
    scanned: bool = False
    findings: list[Finding] = field(default_factory=list)
    drawing: Drawing | None = None
    gates: list[Gate] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)
    unchecked: list[Check] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)


def section_of(answer: Answer, number: int, gallery: Gallery, alone: bool) -> Section:
    """The section of the answer with this number; what a clean model's leaves out is told in ``Section.brief``."""
    report, row = answer.report, row_of(answer, number)
    told = {
        "row": row,
        "open": alone or row.label in (Label.BACKDOORED, Label.SUSPICIOUS),
        "accepted": [(s.code, s.reason, str(s.expires or "")) for s in answer.suppressed.values()],
        "facts": list(facts(answer)),
        "repair": repair_of(answer.repair) if answer.repair else None,
    }
    if report is None:
        reasons = [(answer.code or row.label, answer.why)] if answer.why else []
        return Section(meaning=STATES[row.label], reasons=reasons, **told)  # type: ignore[arg-type]
    reasons = list(zip(report.verdict.reasons, report.verdict.explanations, strict=False))
    return Section(meaning=meaning(report), reasons=reasons, **told, **_found(report, gallery))  # type: ignore[arg-type]


def _found(report: Contract, gallery: Gallery) -> Mapping[str, object]:
    """What there is only with a report; a clean model's pictures are left out where nothing is flagged."""
    brief = report.verdict.label is Label.CLEAN and not any(e.flagged for e in report.evidence)
    shown = [] if brief else report.evidence
    charts = [chart(report, e, FEW if brief else ROWS) for e in report.evidence]
    maps = [p for e in shown for p in gallery.of(report, e, "heatmap", "strongest")]
    accused = {*report.verdict.targets, *(c for e in report.evidence for c in e.flagged)}
    return {
        "brief": brief,
        "scanned": True,
        "triggers": [p for e in shown for p in gallery.of(report, e, "trigger", "mask", "stamped")],
        "maps": [p for p in maps if p.about in accused],
        "other_maps": [p for p in maps if p.about not in accused],
        "charts": sorted((c for c in charts if c.stands_out or c.searches), key=lambda c: not c.stands_out),
        "quiet": [c for c in charts if not (c.stands_out or c.searches)],
        "findings": report.findings,
        "drawing": drawing((f.path for f in report.findings), (f.location for f in report.findings)),
        "gates": [_gate(report, p, gallery) for p in report.proofs],
        "samples": [
            _samples(report, e.detector, e.poisoned, gallery, i) for i, e in enumerate(report.evidence) if e.poisoned
        ],
        "unchecked": [c for c in report.coverage if c.status != "ran"],
        "ran": [c.check for c in report.coverage if c.status == "ran"],
    }


def _gate(report: Contract, proof: Proof, gallery: Gallery) -> Gate:
    w = proof.witness
    before, after, held = (
        (class_label(report, c) for c in (w.class_before, w.class_after, w.class_held)) if w else ("", "", "")
    )
    return Gate(proof, before, after, held, gallery.of_gate(proof))


def _samples(report: Contract, method: str, groups: list[PoisonedSamples], gallery: Gallery, place: int) -> Samples:
    evidence = report.evidence[place]
    table = list(csv.reader(gallery.text(evidence.artifacts.get("samples", "")).splitlines()))[1:]
    listed = [line for line in table if len(line) == 4][:LISTED]
    pictures = gallery.of(report, evidence, "clusters")
    first = [p for p in pictures if p.about in report.verdict.targets] or pictures
    others = [p for p in pictures if p not in first]
    worded = any(p.tokens for p in groups)
    rows = [_group(report, p) | ({"words they share": ", ".join(p.tokens)} if worded else {}) for p in groups]
    return Samples(method, rows, first, others, listed, len(table) - len(listed))


def _group(report: Contract, p: PoisonedSamples) -> dict[str, str]:
    return {
        "labelled": class_label(report, p.target),
        "suspicious": f"{p.samples} of {p.labelled} ({percent(p.relative_size)})",
        "look like": class_label(report, p.source),
        "l / p": "infinite" if p.ratio is None else f"{p.ratio:.2f}",
        "silhouette": f"{p.silhouette:.2f}",
        "given their label": percent(p.followed),
        "what they share turns": "-" if p.transplant is None else f"{percent(p.transplant)} of others",
    }
