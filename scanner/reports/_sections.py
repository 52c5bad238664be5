"""The parts of the terminal view, from top to bottom.

All text that comes from the file or the data passes through ``one_line`` and into ``Text``, never into markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...converters.messages import one_line
from ..contract import LIMITS
from ..findings import Evidence, Label, Report
from ..triggers import Trigger
from . import Artifacts
from ._class_table import class_table, is_share, left_out
from ._facts import fact_lines
from ._poisoned import SAMPLES, poisoned_lines
from ._terminal_picture import terminal_picture
from ._triggers import EVERY, attack_success, further_triggers, shown_mover, shown_triggers
from ._witness import gate_name
from ._words import SYMBOLS, class_label, meaning, percent, rate_words

__all__ = ["classes", "facts", "footer", "head", "poisoned", "reasons", "triggers", "view"]

COLOURS = {
    Label.BACKDOORED: "red", Label.SUSPICIOUS: "yellow", Label.INCONCLUSIVE: "magenta", Label.CLEAN: "green",
}  # fmt: skip

ANY_MODEL = "A large enough patch takes over any model; a backdoor's is far too small."


def view(report: Report, artifacts: Artifacts, width: int, pictures: bool) -> Group:
    """The whole view, for a console of ``width`` columns; ``pictures``: whether it can show small ones in colour."""
    return Group(
        head(report),
        *reasons(report, artifacts),
        *classes(report, artifacts, width),
        *triggers(report, artifacts, pictures),
        *poisoned(report, artifacts),
        *facts(report, artifacts),
        *footer(report),
    )


def head(report: Report) -> Panel:
    """The verdict, the file, and what it means."""
    verdict = report.verdict
    symbol, colour = SYMBOLS[verdict.label], COLOURS[verdict.label]
    return Panel(
        Group(Text(one_line(report.model.path), style="dim", overflow="fold"), Text(meaning(report))),
        title=Text(f"{symbol} {verdict.label.upper()}", style=f"bold {colour}"),
        title_align="left",
        subtitle=None if verdict.label is Label.INCONCLUSIVE else Text(f"suspicion {verdict.score:.2f} of 1"),
        subtitle_align="right",
        border_style=colour,
    )


def reasons(report: Report, artifacts: Artifacts) -> Iterator[RenderableType]:
    """Why: a line for each reason and each static finding, with its code."""
    lines = [(code, one_line(sentence, 600)) for code, sentence in report.verdict.reasons]
    lines += [(f.rule, one_line(f"{f.severity}: {f.message} ({f.location})", 600)) for f in report.findings]
    if lines:
        yield _heading("Why")
        yield _indent(_pairs(lines, "dim"))
    for i in range(len(report.proofs)):
        for path in artifacts.files.get(gate_name(i), {}).values() if artifacts.folder else ():
            yield _indent(Text(one_line(f"{artifacts.folder}/{path}", 1000), style="cyan", overflow="fold"))


def classes(report: Report, artifacts: Artifacts, width: int) -> Iterator[RenderableType]:
    """A table of classes for each detector, and where its maps are."""
    for evidence in report.evidence:
        yield _heading("Classes", f"{evidence.detector}: {evidence.statistic}")
        if evidence.whole:
            yield _indent(Text(_of_all(evidence)))
            continue
        yield _indent(class_table(report, evidence, width))
        if hidden := left_out(report, evidence):
            yield _indent(Text(f"... and {hidden} more, none of them flagged", style="dim"))
        if is_share(evidence):
            yield _indent(Text(ANY_MODEL, style="dim"))
        files = artifacts.files.get(evidence.detector, {})
        for path in (artifacts.folder / files[name] for name in evidence.maps if artifacts.folder and name in files):
            yield _indent(Text(one_line(path, 1000), style="cyan", overflow="fold"))


def triggers(report: Report, artifacts: Artifacts, pictures: bool) -> Iterator[RenderableType]:
    """The recovered trigger of each accused class: size, success, where its picture is, and a small one here."""
    convicted = set(report.verdict.targets)
    if mover := shown_mover(report):
        yield _heading("Recovered trigger that moves every class")
        yield from _beside(report, mover[1], pictures)
        yield from _file_of(artifacts, mover[0], f"trigger{EVERY}")
    for target, (detector, trigger) in shown_triggers(report).items():
        if convicted and target not in convicted:
            continue  # its files are written all the same
        yield _heading(f"Recovered trigger of class {class_label(report, target)}")
        yield from _beside(report, trigger, pictures)
        yield from _places(report, target)
        yield from _file_of(artifacts, detector, f"trigger-class{target}")


def _beside(report: Report, trigger: Trigger, pictures: bool) -> Iterator[RenderableType]:
    beside = Table.grid(padding=(0, 3, 0, 0))
    beside.add_row(*([terminal_picture(trigger)] if pictures else []), Text("\n").join(_about(report, trigger)))
    yield _indent(beside)


def _file_of(artifacts: Artifacts, detector: str, name: str) -> Iterator[RenderableType]:
    path = artifacts.files.get(detector, {}).get(name)
    if path and artifacts.folder:
        yield _indent(Text(one_line(artifacts.folder / path, 1000), style="cyan", overflow="fold"))


def _about(report: Report, trigger: Trigger) -> Iterator[Text]:
    found = [t for e in report.evidence for t in e.triggers if (t.mapping is None) == (trigger.mapping is None)]
    rivals = sum(t.target == trigger.target for t in found) if trigger.mapping is None else len(found)
    yield Text(_extent(trigger))
    if trigger.mapping is not None:
        yield Text(one_line("moves class " + ", ".join(f"{a} to {b}" for a, b in enumerate(trigger.mapping)), 200))
    if rate := attack_success(report, trigger):
        yield Text(f"takes over {rate_words(rate)} held-out pictures")
    if rivals > 1:
        whom = "for this class" if trigger.mapping is None else "that move every class"
        yield Text(f"the strongest of {rivals} found {whom}", style="dim")


def _places(report: Report, target: int) -> Iterator[RenderableType]:
    """What the triggers do that work by themselves, where the class has several."""
    if found := further_triggers(report, target):
        yield _indent(Text(f"{len(found)} triggers, each of which works by itself in a place of its own:"))
        for place, (_, trigger, rate) in enumerate(found, 1):
            yield _indent(Text(f"{place}  {_extent(trigger)}, takes over {rate_words(rate)} held-out pictures"))


def _of_all(evidence: Evidence) -> str:
    size = evidence.classes[0] if evidence.classes else float("nan")
    return f"{percent(size)} of the picture" if isfinite(size) else "none found"


def _extent(trigger: Trigger) -> str:
    if trigger.norm == "l2":
        return f"changes the picture by {percent(trigger.size)} of full strength (root mean square of the mask)"
    return f"covers {percent(trigger.fraction)} of the picture ({trigger.l1:.1f} pixels)"


def poisoned(report: Report, artifacts: Artifacts) -> Iterator[RenderableType]:
    """The suspicious samples of the training set, label by label, and where they are listed and shown."""
    for evidence in (e for e in report.evidence if e.poisoned):
        yield _heading("Suspicious training samples", f"{sum(map(len, evidence.poisoned))}, by {evidence.detector}")
        files = artifacts.files.get(evidence.detector, {})
        if artifacts.folder and SAMPLES in files:
            yield _indent(Text(one_line(artifacts.folder / files[SAMPLES], 1000), style="cyan", overflow="fold"))
        for p in evidence.poisoned:
            first, *more = poisoned_lines(report, p)
            yield _indent(Text(one_line(first, 300), style="bold" if p.target in report.verdict.targets else ""))
            yield from (_indent(Text(f"  {one_line(line, 300)}", style="dim")) for line in more)


def facts(report: Report, artifacts: Artifacts) -> Iterator[RenderableType]:
    """What the verdict rests on, and what was not checked."""
    yield _heading("What this rests on")
    yield _indent(_pairs(list(fact_lines(report, artifacts)), "bold"))


def footer(report: Report) -> Iterator[RenderableType]:
    """What no report can say, and where the time went."""
    yield Text("")
    yield _indent(Text(LIMITS, style="italic"))
    if report.timings:
        times = (f"{one_line(stage, 40)} {seconds:.1f} s" for stage, seconds in report.timings.items())
        yield _indent(Text(" · ".join(times), style="dim"))


def _heading(text: str, note: str = "") -> Text:
    return Text.assemble("\n", (one_line(text), "bold underline"), "  ", (one_line(note), "dim"))


def _pairs(lines: list[tuple[str, str]], style: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style=style)
    for name, words in lines:
        table.add_row(Text(one_line(name, 40)), Text(words, overflow="fold"))
    return table


def _indent(renderable: RenderableType) -> Padding:
    return Padding(renderable, (0, 0, 0, 2))
