"""The figures behind a verdict, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...converters.messages import one_line
from ..findings import Report
from . import Artifacts
from ._words import file_size, percent, rate_words

__all__ = ["fact_lines", "twin_lines"]

if TYPE_CHECKING:
    from ...converters import Parity
    from .. import contract

Fact = tuple[str, str]
"""Name and words; a line that belongs to the one above has no name."""


def fact_lines(report: Report, artifacts: Artifacts) -> Iterator[Fact]:
    """Input convention, twin, accuracy, checks done and not done, file, and where the report lies."""
    yield from _input(report)
    yield from twin_lines(report.parity)
    yield from _accuracy(report)
    yield from _checks(report)
    yield from _file(report)
    if artifacts.folder:
        yield "written to", one_line(artifacts.folder, 1000)


def _input(report: Report) -> Iterator[Fact]:
    choice = report.domain
    if choice is None:
        return
    domain, order = choice.domain, ", blue first" if choice.domain.bgr else ""
    size = f"{domain.channels}×{domain.height}×{domain.width}"
    how = "found by trying" if choice.how == "found" else one_line(choice.how)
    yield "input", f"{one_line(domain.name)}, {domain.layout}, {size}{order} ({how})"
    doubt = "" if choice.beats_chance else ", NOT clearly above chance"
    rival = f"; next best convention {percent(choice.tried[1][1])}" if len(choice.tried) > 1 else ""
    yield "", f"accuracy {rate_words(choice.accuracy)} under it{doubt}; chance {percent(choice.chance)}{rival}"
    if choice.numbering:
        yield "", one_line(f"classes numbered {choice.numbering}")


def twin_lines(parity: Parity | contract.Parity | None) -> Iterator[Fact]:
    """How well the torch twin follows the file, as measured or as kept; nothing where there is none."""
    if parity is None:
        return
    words = f"torch twin and onnxruntime agree on {percent(parity.agreement)} of {parity.inputs} inputs"
    allowed = f"{parity.tolerance:.0e} allowed"
    if parity.moved:
        allowed += f" as onnxruntime's optimisations or rounding alone make {parity.moved:.0e}"
    yield "twin", f"{words} (largest logit difference {_small(parity.relative)}, {allowed})"
    if parity.surrogates:
        yield "gradient", f"not exact through {', '.join(parity.surrogates)}"


def _accuracy(report: Report) -> Iterator[Fact]:
    evaluation = report.evaluation
    if evaluation is None:
        return
    where = f"in onnxruntime ({one_line(evaluation.provider)})"
    yield "accuracy", f"{rate_words(evaluation.clean_accuracy)} held-out pictures, {where}"


def _checks(report: Report) -> Iterator[Fact]:
    told = {sentence for _, sentence in report.verdict.reasons}
    if report.ran:
        yield "checked", one_line(", ".join(report.ran))
    due = [skip for skip in report.skipped if skip.due]
    others = [skip for skip in report.skipped if not skip.due]
    for name, checks in (("NOT checked", due), ("failed", report.failures), ("not due", others)):
        for check in checks:
            words = f"{check.check}: {check.why}"
            yield name, one_line(f"{check.check} (see above)" if words in told else words, 600)


def _file(report: Report) -> Iterator[Fact]:
    facts = report.model
    producer = one_line(facts.producer, 60) or "unknown producer"
    yield "model", f"{facts.classes} classes, {file_size(facts.size_bytes)}, opset {facts.opset}, {producer}"
    if facts.converted:
        yield "converted", f"from {one_line(facts.converted, 300)}"
    yield "sha256", facts.sha256


def _small(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.1e}"
