"""One model's kept report for people: shorter than that of a scan, which has the arrays at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...converters.facts import shown
from ...converters.messages import one_line
from ..reports._words import class_label, file_size, meaning, percent
from .terminal import LOOKS

if TYPE_CHECKING:
    from ..answers import Answer
    from ..contract import Contract

__all__ = ["answer_view"]


def answer_view(answer: Answer, command: str) -> Group:
    """The verdict, why, what each method measured, and what was not checked; ``command`` shows this again."""
    parts: list[RenderableType] = [_head(answer)]
    if answer.report is not None:
        parts += [*_reasons(answer, answer.report), *_evidence(answer.report), *_unchecked(answer.report)]
    parts += _section("Facts", list(_facts(answer)))
    if answer.report is not None:
        parts += _pictures(answer.report, command)
        parts += [Text(f"\n{answer.report.limits}", "italic")]
    return Group(*parts)


def _head(answer: Answer) -> Panel:
    symbol, colour = LOOKS[answer.label]
    report = answer.report
    names = [Text(one_line(name, 1000), "dim", overflow="fold") for name in answer.names]
    words = Text(meaning(report) if report is not None else one_line(answer.why, 1000) or "Not scanned yet.")
    judged = report is not None and answer.label != "inconclusive"
    return Panel(
        Group(*names, words),
        title=Text(f"{symbol} {answer.label.upper()}", f"bold {colour}"),
        title_align="left",
        subtitle=Text(f"suspicion {report.verdict.score:.2f} of 1") if report is not None and judged else None,
        subtitle_align="right",
        border_style=colour,
    )


def _reasons(answer: Answer, report: Contract) -> Iterator[RenderableType]:
    verdict = report.verdict
    lines = list(zip(verdict.reasons, verdict.explanations, strict=False))
    lines += [(f.rule, f"{f.severity}: {f.message} ({f.location})") for f in report.findings]
    lines = [(code, f"{words}{_acceptance(answer, code)}") for code, words in lines]
    yield from _section("Why", lines)


def _acceptance(answer: Answer, code: str) -> str:
    found = answer.suppressed.get(code)
    until = f" until {found.expires}" if found and found.expires else ""
    return f" [accepted{until}: {found.reason}]" if found else ""


def _evidence(report: Contract) -> Iterator[RenderableType]:
    if not report.evidence:
        return
    yield _heading("What was measured")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, justify in (("method", "left"), ("score", "right"), ("stands out", "left"), ("time", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for evidence in report.evidence:
        flagged = ", ".join(class_label(report, c) for c in evidence.flagged[:4]) or "-"
        table.add_row(
            one_line(evidence.detector, 60), f"{evidence.score:.2f}", Text(flagged), f"{evidence.seconds:.0f} s"
        )
    yield Padding(table, (0, 0, 0, 2))
    of_whom = "Recovered triggers" if report.verdict.targets else "Best triggers of any class; none is accused"
    yield from _section(f"{of_whom}, on held-out pictures", list(_attacks(report)))


def _attacks(report: Contract) -> Iterator[tuple[str, str]]:
    targets = report.verdict.targets or range(report.model.classes)
    for attack in report.evaluation.attacks if report.evaluation else ():
        if attack.mapping is None and attack.target not in targets:
            continue  # a patch that is large enough takes over any class
        whom = f"class {class_label(report, attack.target)}" if attack.mapping is None else "every class moved"
        size = f"covers {percent(attack.mask_fraction)} of the picture"
        yield (
            whom,
            f"{percent(attack.rate)} ({attack.hits} of {attack.trials}), {size}",
        )


def _unchecked(report: Contract) -> Iterator[RenderableType]:
    missing = [(c.check, f"{c.outcome}: {c.why}") for c in report.coverage if c.status != "ran"]
    yield from _section("NOT checked", missing) if missing else ()


def _facts(answer: Answer) -> Iterator[tuple[str, str]]:
    if answer.sha256:
        yield "sha256", answer.sha256
    if report := answer.report:
        model, evaluation = report.model, report.evaluation
        convention = f", {model.input.preprocessing.name}" if model.input.preprocessing else ""
        yield "input", f"{model.input.name} {shown(tuple(model.input.shape))}{convention}"
        yield "file", f"{file_size(model.bytes)}, {model.producer or 'unknown producer'}, opset {model.opset}"
        if evaluation:
            yield "accuracy", f"{percent(evaluation.clean_accuracy)} on {evaluation.samples} held-out pictures"
        yield "checked", ", ".join(c.check for c in report.coverage if c.status == "ran")
    yield from ((name, value) for name, value in answer.origin.items())
    if answer.ended:
        yield "scanned", f"{answer.ended}, {answer.seconds:.0f} s, by {answer.worker or 'an unknown worker'}"
    if answer.repair is not None:
        done = "repaired" if answer.repair.get("repaired") else "no repair worked"
        yield "repair", f"{done}: {answer.repair.get('output') or answer.repair.get('reason')}"


def _pictures(report: Contract, command: str) -> Iterator[RenderableType]:
    listed = [evidence.artifacts for evidence in report.evidence] + [proof.artifacts for proof in report.proofs]
    named = {path for artifacts in listed for path in artifacts.values()}
    if named:
        yield Text(f"\n{len(named)} pictures and arrays: {command} --export DIR", "cyan")


def _section(title: str, lines: list[tuple[str, str]]) -> list[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    for name, words in lines:
        table.add_row(Text(one_line(name, 40)), Text(one_line(words, 600), overflow="fold"))
    return [_heading(title), Padding(table, (0, 0, 0, 2))] if lines else []


def _heading(text: str) -> Text:
    return Text.assemble("\n", (text, "bold underline"))
