"""A benchmark as tables, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .benchmark import Benchmark, Group, Result
from .record import OURS
from .statistics import At, Interval, Share

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Sheet", "as_markdown", "as_table", "interval", "percent", "share", "sheets"]

Row = tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A table: title, column heads, rows, and a note on how to read it."""

    title: str
    head: Row
    rows: tuple[Row, ...]
    note: str = ""


def sheets(found: Benchmark) -> Iterator[Sheet]:
    """Everything that is worth a table; empty ones are left out."""
    every = (_results(found), _verdicts(found), _groups(found), _ablation(found), _reliability(found), _mistakes(found))
    yield from (sheet for sheet in every if sheet.rows)


def _results(found: Benchmark) -> Sheet:
    head = ("scanner", "samples", "trojaned", "clean", "AUC", *_limits(found), "target right", "s / model")
    rows = [
        (
            r.who, _samples(r), str(r.trojaned), str(r.clean), interval(r.auc), *(_at(at) for at in r.at),
            share(r.target_right), f"{r.median_seconds:.1f}",
        )
        for r in found.results
        if r.trojaned + r.clean
    ]  # fmt: skip
    return Sheet(
        f"Detection, part {found.part}", head, tuple(rows),
        "Areas with 95 % bootstrap intervals. TPR at k/n: with at most k false alarms of n clean models; where k is 0, "
        "there are too few clean models to allow one. Target right: of the flagged trojaned models."
        + "".join(f" {text}" for text in _left_out(found)),
    )  # fmt: skip


def _left_out(found: Benchmark) -> Iterator[str]:
    texts = sorted({(r.who, r.not_applicable) for r in found.results if r.not_applicable})
    if texts:
        told = ", ".join(f"{count} by {who}" for who, count in texts)
        yield f"Models of text, to which no scanner here applies and which no figure counts: {told}."
    yield from found.notes


def _limits(found: Benchmark) -> Row:
    at = next((r.at for r in found.results if r.at), ())
    return tuple(f"TPR at FPR <= {a.limit:.0%}" for a in at)


def _verdicts(found: Benchmark) -> Sheet:
    head = ("scanner", "samples", "flagged: TPR", "FPR", "convicted: TPR", "FPR", "best class right", "failed")
    rows = [
        (
            r.who, _samples(r), share(r.flagged), share(r.false_alarms),
            *((share(r.convicted), share(r.false_convictions)) if r.who == OURS else ("-", "-")),
            share(r.best_right), str(r.failed),
        )
        for r in found.results
        if r.trojaned + r.clean
    ]  # fmt: skip
    note = (
        "The answers as they ship: ours flags what it calls suspicious or backdoored and convicts what it calls "
        "backdoored; peers flag by their own rules. Shares with 95 % Wilson intervals."
    )
    return Sheet("Verdicts", head, tuple(rows), note)


def _groups(found: Benchmark) -> Sheet:
    here = [g for g in found.groups if g.samples == found.headline]
    peers = sorted({g.who for g in here} - {OURS})
    other = {(g.who, g.by, g.name): g for g in here if g.who != OURS}
    rows = [
        (
            g.by, g.name, share(g.flagged), share(g.false_alarms), interval(g.auc),
            *(_counts(other.get((who, g.by, g.name))) for who in peers),
        )
        for g in here
        if g.who == OURS
    ]  # fmt: skip
    return Sheet(
        f"Where, with {found.headline} samples",
        ("by", "name", "detected", "false alarms", "AUC", *peers),
        tuple(rows),
        "AUC of these trojaned models against all clean ones. The last columns are the peers' detections.",
    )


def _ablation(found: Benchmark) -> Sheet:
    rows = [(str(a.samples), a.without, interval(a.auc), f"{a.lost:+.3f}") for a in found.ablation]
    note = "The area of our score without one method's signals, and what is lost by that."
    return Sheet("Ablation", ("samples", "without", "AUC", "lost"), tuple(rows), note)


def _reliability(found: Benchmark) -> Sheet:
    rows = []
    for trust in found.reliability:
        r = trust.reliability
        bins = " ".join(f"{b.score:.2f}:{b.trojaned.hits}/{b.trojaned.trials}" for b in r.bins)
        rows.append((str(trust.samples), f"{r.brier:.3f}", f"{r.error:.3f}", bins))
    head = ("samples", "Brier score", "calibration error", "mean score: trojaned of the models in the bin")
    return Sheet("Does our score mean what it says?", head, tuple(rows))


def _mistakes(found: Benchmark) -> Sheet:
    rows = [
        (
            m.kind, m.name, m.attack or "-", m.label, f"{m.score:.2f}",
            "-" if m.best is None else str(m.best), _targets(m.targets), m.why,
        )
        for m in found.mistakes
        if m.samples == found.headline
    ]  # fmt: skip
    head = ("what", "model", "attack", "verdict", "score", "best", "true", "why")
    return Sheet(f"Where we are wrong, with {found.headline} samples", head, tuple(rows))


def _targets(targets: Sequence[int]) -> str:
    return ", ".join(map(str, targets)) if len(targets) < 5 else f"{len(targets)} classes"


def _samples(r: Result) -> str:
    low, high = r.samples_used
    if low == high == r.samples:
        return str(r.samples)
    return f"{r.samples} ({low if low == high else f'{low} to {high}'} there)"


def _at(at: At) -> str:
    return f"{percent(at.found.value)} at {at.allowed}/{at.clean}"


def _counts(group: Group | None) -> str:
    return f"{group.flagged.hits}/{group.flagged.trials}" if group and group.flagged.trials else "-"


def interval(found: Interval | None) -> str:
    """As "0.97 [0.91, 1.00]"."""
    return "-" if found is None else f"{found.value:.3f} [{found.lower:.2f}, {found.upper:.2f}]"


def share(found: Share) -> str:
    """As "75% (12/16) [51, 90]"."""
    if not found.trials:
        return "-"
    ends = f"[{100 * found.lower:.0f}, {100 * found.upper:.0f}]"
    return f"{percent(found.value)} ({found.hits}/{found.trials}) {ends}"


def percent(value: float | None) -> str:
    """In whole ones, "-" for None."""
    return "-" if value is None else f"{value:.0%}"


def as_table(sheet: Sheet) -> Table:
    """For a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(sheet.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.caption, table.caption_justify = Text(sheet.note, "dim") if sheet.note else None, "left"
    for column in sheet.head:
        table.add_column(Text(column), overflow="fold")
    for row in sheet.rows:
        table.add_row(*map(Text, row))
    return table


def as_markdown(sheet: Sheet) -> str:
    """For a README."""
    lines = [sheet.head, ("---",) * len(sheet.head), *sheet.rows]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    return f"**{sheet.title}**\n\n{table}\n" + (f"\n{sheet.note}\n" if sheet.note else "")
