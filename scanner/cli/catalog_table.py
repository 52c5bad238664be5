"""The answers about many models as a table for people: worst first, variants together, then what it adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .rows import Row, families
from .terminal import LOOKS

__all__ = ["catalog_view", "unread_view"]

_MOST_CLEAN = 100  # clean models listed one by one; whatever is not clean is always listed
_MOST_UNREAD = 30  # models that could not be scanned, listed one by one
_WIDE = 120  # columns from which there is room for a sentence
_NO_VERDICT = ("error", "not scanned", "waiting")


def catalog_view(rows: Sequence[Row], width: int, more: str = "", together: bool = True) -> Group:
    """The whole view, for a console of ``width`` columns.

    Args:
        rows: of all models.
        width: columns.
        more: the command that shows clean models that a long table leaves out; "" lists all.
        together: the worst first and variants together; or else in the order of the rows.
    """
    judged = [row for row in rows if row.label not in _NO_VERDICT]
    unread = [row for row in rows if row.label in ("error", "not scanned")]
    listed = families(judged) if together else [[row] for row in judged]
    kept = _without_many_clean(listed) if more else listed
    hidden = len(judged) - sum(map(len, kept))
    parts: list[RenderableType] = [_table(kept, width)] if kept else []
    if hidden:
        parts.append(Text(f"… and {hidden} more, all clean: {more}", "dim"))
    return Group(*parts, *unread_view(unread), *_sums(rows))


def _table(listed: Sequence[list[Row]], width: int) -> Table:
    folder = _shared_folder([family[0].group or family[0].name for family in listed])
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=width >= _WIDE)
    heading = Text.assemble("model", (f" in {folder}" if folder else "", "not bold dim"))
    table.add_column(heading, overflow="fold", ratio=2)
    table.add_column("verdict", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("target", overflow="fold", max_width=24)
    table.add_column("main reason", overflow="fold", ratio=3)
    table.add_column("time", justify="right", no_wrap=True)
    for family in listed:
        _add(table, family, folder, width >= _WIDE)
    return table


def _shared_folder(names: Sequence[str]) -> str:
    """The folder that all names begin with, with its slash; "" if there is none or only one name."""
    if len(set(names)) < 2 or any("://" in name for name in names):
        return ""
    first, last = min(names), max(names)  # what these two share, all share
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: first.rfind("/", 0, same) + 1]


def _without_many_clean(found: Sequence[list[Row]]) -> list[list[Row]]:
    """All families with a member that is not clean, and the first clean ones."""
    kept, clean = [], 0
    for family in found:
        if all(row.label == "clean" for row in family):
            clean += len(family)
            if clean > _MOST_CLEAN:
                continue
        kept.append(family)
    return kept


def _add(table: Table, family: list[Row], folder: str, wide: bool) -> None:
    group, together = family[0].group, len(family) > 1
    if together:
        title = group.removeprefix(folder) or group
        table.add_row(Text.assemble((title, "bold"), (f"  {len(family)} variants", "dim")))
    for row in family:
        within = row.name.removeprefix(group).lstrip("/!") or row.name
        table.add_row(*_cells(row, f"  {within}" if together else row.name.removeprefix(folder), wide))


def _cells(row: Row, name: str, wide: bool) -> list[RenderableType]:
    symbol, colour = LOOKS[row.label]
    also = f"  +{row.others} name{'s' if row.others > 1 else ''}" if row.others else ""
    return [
        Text.assemble(name, (also, "dim")),
        Text.assemble((f"{symbol} {row.label}", colour), (" accepted" if row.accepted else "", "dim")),
        f"{row.score:.2f}" if row.score is not None else Text("-", "dim"),
        Text((row.named if wide else row.targets) or "-", "" if row.targets else "dim"),
        Text(row.why if wide and row.label != "clean" else row.code),
        f"{row.seconds:.0f} s" if row.seconds else Text("-", "dim"),
    ]


def unread_view(rows: Sequence[Row]) -> Iterator[RenderableType]:
    """What could not be scanned, and why."""
    if not rows:
        return
    yield Text.assemble("\n", ("Could not be scanned", "bold underline"), ("  unchecked, which is not clean", "dim"))
    listed = [row for family in families(rows) for row in family]
    for row in listed[:_MOST_UNREAD]:
        symbol, colour = LOOKS[row.label]
        code = "" if row.code in ("", "error") else f"  {row.code}"
        yield Text.assemble("  ", (symbol, colour), " ", (row.name, "bold"), code, overflow="fold")
        yield Padding(Text(_without_name(row), overflow="fold"), (0, 0, 0, 4))
    left = Counter(row.code for row in listed[_MOST_UNREAD:])
    if left:
        codes = ", ".join(f"{n} {code}" for code, n in left.most_common())
        yield Text(f"  … and {left.total()} more ({codes}); -f csv or json lists all", "dim")


def _without_name(row: Row) -> str:
    """Why, without the file's name in front, which stands above it."""
    file, colon, why = row.why.partition(": ")
    return why if colon and file.endswith(row.name.rpartition("/")[2]) else row.why


def _sums(rows: Sequence[Row]) -> Iterator[RenderableType]:
    counted = Counter(row.label for row in rows)
    named = len(rows) + sum(row.others for row in rows)
    title = f"{len(rows)} model{'' if len(rows) == 1 else 's'}"
    yield Text.assemble("\n", (title, "bold underline"), (f"  under {named} names" if named > len(rows) else "", "dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    for label, (symbol, colour) in LOOKS.items():
        if counted[label]:
            accepted = sum(row.accepted for row in rows if row.label == label)
            note = f"{accepted} of them accepted" if accepted else ""
            table.add_row(f"  {counted[label]}", Text(f"{symbol} {label}", colour), Text(note, "dim"))
    yield table
