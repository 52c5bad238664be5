"""What a model is and what the verdict rests on, as names and words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...findings import Rate
from ...reports._facts import twin_lines
from ...reports._words import file_size, percent, rate_words

if TYPE_CHECKING:
    from ...answers import Answer
    from ...contract import Contract, Preprocessing

__all__ = ["facts"]

Fact = tuple[str, str]
TRIED = 6  # conventions named


def facts(answer: Answer) -> Iterator[Fact]:
    """Names, origin and bytes; with a report also input, twin, accuracy, versions and time."""
    for name in answer.names[1:]:
        yield "also called", name
    yield from (("group", answer.group),) if answer.group else ()
    yield from ((name, value) for name, value in sorted(answer.origin.items()))
    report = answer.report
    sha256, size = (report.model.sha256, report.model.bytes) if report else (answer.sha256, answer.size_bytes)
    if sha256:
        yield "sha256", sha256
    if size:
        yield "size", file_size(size)
    if report:
        yield from _model(report)
    yield from _run(answer)


def _model(report: Contract) -> Iterator[Fact]:
    model = report.model
    shape = " × ".join("any" if axis is None else str(axis) for axis in model.input.shape)
    yield "file", f"{model.classes} classes, opset {model.opset}, {model.producer or 'unknown producer'}"
    if model.converted:
        yield "converted", f"from {model.converted}"
    yield "input", f"{model.input.name}: {model.input.dtype}, {shape}"
    if model.input.preprocessing:
        yield from _preprocessing(report, model.input.preprocessing)
    yield from twin_lines(report.parity)
    if (e := report.evaluation) is not None:
        rate = Rate(round(e.clean_accuracy * e.samples), e.samples)
        yield "accuracy", f"{rate_words(rate)} held-out pictures, in onnxruntime ({e.provider})"


def _preprocessing(report: Contract, p: Preprocessing) -> Iterator[Fact]:
    order = ", blue first" if p.bgr else ""
    how = "found by trying" if p.how == "found" else p.how
    yield "preprocessing", f"{p.name}, {report.model.input.layout or 'layout unknown'}{order} ({how})"
    if p.mean != [0.0] or p.std != [1.0] or p.scale != 1:
        mean, std = (", ".join(f"{v:.4g}" for v in values) for values in (p.mean, p.std))
        yield "", f"(picture × {p.scale:g} − mean {mean}) / std {std}"
    doubt = "" if p.beats_chance else ", NOT clearly above chance"
    yield "", f"accuracy {percent(p.accuracy)} under it{doubt}; chance {percent(p.chance)}"
    if rivals := p.tried[1:TRIED]:
        yield "", "also tried: " + ", ".join(f"{t.name} {percent(t.accuracy)}" for t in rivals)


def _run(answer: Answer) -> Iterator[Fact]:
    if answer.report and answer.report.timings:
        times = answer.report.timings.items()
        yield "time", ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in times)
    elif answer.seconds:
        yield "time", f"{answer.seconds:.1f} s"
    where = [f"ended {answer.ended}" if answer.ended else "", f"by {answer.worker}" if answer.worker else ""]
    if any(where):
        tries = f" (try {answer.tries})" if answer.tries > 1 else ""
        yield "scanned", " ".join(part for part in where if part) + tries
    if answer.report:
        tool = answer.report.tool
        versions = {tool.name: tool.version, **answer.report.versions}
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
