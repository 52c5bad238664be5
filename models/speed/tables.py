"""The timings as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from . import norms, stamping
from .report import Report
from .search import SearchRow, Side
from .timing import Spread

__all__ = ["tables"]


def tables(report: Report) -> Iterator[Table]:
    """One for each part that was measured; the machine's name is under each.

    "of read" is the bandwidth as a share of that of ``torch.sum`` over the same bytes; "keeps" is what waits for the
    backward pass beside the arguments.
    """
    on = str(report.machine)
    rounds = f"medians (and quartiles) of {_rounds(report.rounds)}"
    if report.norms:
        yield _norms(report.norms, f"{on}; {rounds}")
    if report.stamp:
        yield _stamp(report.stamp, f"{on}; {rounds}")
    if report.search:
        yield _search(report.search, f"{on}; medians (and quartiles) of {_rounds(report.search_rounds)}")


def _norms(rows: Sequence[norms.Row], caption: str) -> Table:
    table = _table(
        f"Norms of each channel of {rows[0].dtype} activations, beside three reductions of torch",
        caption,
        ("activations", "layout", "by", "GB/s", "of read", "torch / ours"),
    )
    for row in rows:
        rate, share = f"{row.bytes_per_second / 1e9:.1f}", f"{1 / row.over_read.median:.0%}"
        table.add_row(_size(row.shape), row.layout, row.backend, rate, share, _spread(row.speedup))
    return table


def _stamp(rows: Sequence[stamping.Row], caption: str) -> Table:
    table = _table(
        "Triggers put on pictures, with the gradient, beside x + m (p - x)",
        caption,
        ("picture", "triggers x", "ms", "plain / ours", "plain keeps", "ours keeps"),
    )
    for row in rows:
        kept, ours = (f"{size / 2**20:.1f} MiB" for size in (row.kept_plain, row.kept))
        of = f"{row.triggers} x {row.pictures}"
        table.add_row(_size(row.shape), of, f"{1e3 * row.seconds:.2f}", _spread(row.speedup), kept, ours)
    return table


def _search(row: SearchRow, caption: str) -> Table:
    of = f"{row.model}, {row.classes} classes, {row.pictures} pictures {_size(row.shape)}"
    table = _table(f"Trigger search: {of}", caption, ("", "all classes at once", "class after class"))
    for name, ours, loop in _comparison(row):
        table.add_row(name, ours, loop)
    table.add_section()
    table.add_row("loop / ours", _spread(row.speedup), "")
    if row.l1_ratio is not None:
        table.add_row("mask L1, ours / loop", f"{row.l1_ratio:.2f}", "")
    if row.many_over_few:
        table.add_row(f"{row.classes} classes / 10 classes", _spread(row.many_over_few), "")
    return table


def _comparison(row: SearchRow) -> Iterator[tuple[str, str, str]]:
    ours, loop = row.ours, row.loop
    yield "classes searched", str(row.classes), str(row.loop_classes)
    yield "seconds a class", f"{ours.seconds_per_class:.2f}", f"{loop.seconds_per_class:.2f}"
    yield "pictures forward, a class", f"{ours.forward:,.0f}", f"{loop.forward:,.0f}"
    yield "pictures backward, a class", f"{ours.backward:,.0f}", f"{loop.backward:,.0f}"
    for kind in ("forward", "backward", "looks", "rest"):
        if kind in ours.shares or kind in loop.shares:
            yield f"time in {kind}", f"{ours.shares.get(kind, 0.0):.0%}", f"{loop.shares.get(kind, 0.0):.0%}"
    yield "triggers found", str(len(ours.l1)), str(len(loop.l1))
    yield "lowest attack success", _lowest(ours), _lowest(loop)
    yield "unusually small", _flagged(ours), _flagged(loop)


def _rounds(count: int) -> str:
    return f"{count} rounds" if count > 1 else "1 round"


def _lowest(side: Side) -> str:
    return f"{min(side.success.values()):.1%}" if side.success else "-"


def _flagged(side: Side) -> str:
    if side.flagged is None:
        return "(not all searched)"
    return ", ".join(map(str, side.flagged)) or "none"


def _table(title: str, caption: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=Text(title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    table.caption, table.caption_justify = Text(caption, "dim"), "left"
    for column in columns:
        table.add_column(Text(column), no_wrap=True)
    return table


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _spread(ratio: Spread) -> str:
    return f"{ratio.median:.1f} ({ratio.low:.1f} to {ratio.high:.1f})"
