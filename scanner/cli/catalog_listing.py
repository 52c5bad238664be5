"""What a batch would scan, as a table or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...converters.messages import one_line
from ..reports._words import file_size
from .catalog_table import unread_view
from .rows import Row
from .terminal import shown

if TYPE_CHECKING:
    from ..catalog import Catalog, Entry

__all__ = ["print_listing"]


def print_listing(catalog: Catalog, form: str) -> None:
    """Print what was found: a table with -f text, one object a line with -f json or jsonl.

    Raises:
        click.UsageError: any other form.
    """
    if form == "text":
        click.echo(shown(Group(*_parts(catalog))))
    elif form in ("json", "jsonl"):
        for line in _lines(catalog):
            click.echo(json.dumps(line))
    else:
        raise click.UsageError(f"--list: expected -f text, json or jsonl, got {form}")


def _lines(catalog: Catalog) -> Iterator[dict[str, Any]]:
    for e in catalog.entries:
        yield {
            "schema": "onnxray/inventory/1", "name": e.name, "path": str(e.path), "member": e.member or None,
            "sha256": e.sha256, "bytes": e.size_bytes, "group": e.group or None, "data": e.data and str(e.data),
            "training_data": e.training_data and str(e.training_data), "options": dict(e.options),
            "origin": dict(e.origin),
        }  # fmt: skip
    for u in catalog.unscanned:
        yield {"schema": "onnxray/inventory/1", "name": u.name, "code": u.code, "why": u.why}


def _parts(catalog: Catalog) -> Iterator[RenderableType]:
    if catalog.entries:
        yield _table(catalog.entries)
    yield from unread_view(
        [Row(one_line(u.name, 1000), "not scanned", code=u.code, why=u.why) for u in catalog.unscanned]
    )
    different, size = len({e.sha256 for e in catalog.entries}), sum(e.size_bytes for e in catalog.entries)
    count, unread = len(catalog.entries), len(catalog.unscanned)
    copies = "" if different == count else f", {different} of them different"
    yield Text(
        f"\n{count} model{'' if count == 1 else 's'}{copies}, {file_size(size)}; {unread} cannot be scanned",
        "bold",
    )


def _table(entries: Sequence[Entry]) -> Table:
    """Models under the headings of their groups or folders."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("model", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("sha256", no_wrap=True)
    told = any(_with(entry) for entry in entries)
    if told:
        table.add_column("with", overflow="fold")
    for place, found in groupby(sorted(entries, key=lambda e: (_place(e), e.name)), key=_place):
        members = list(found)
        variants = f"  {len(members)} variants" if members[0].group else ""
        if place:
            table.add_row(Text.assemble((place, "bold"), (variants, "dim"), overflow="fold"))
        for entry in members:
            name = one_line(entry.name, 1000)
            within = f"  {name.removeprefix(place).lstrip('/!')}" if place else name
            beside = [Text(_with(entry) or "-")] if told else []
            table.add_row(Text(within), file_size(entry.size_bytes), entry.sha256[:8], *beside)
    return table


def _place(entry: Entry) -> str:
    """What a model is listed under: its group, or the folder or archive that it is in."""
    name = one_line(entry.name, 1000)
    return one_line(entry.group, 1000) or name[: max(name.rfind("/"), name.rfind("!"), 0)]


def _with(entry: Entry) -> str:
    """What the manifest or the files beside it say of a model."""
    paths = (("data", entry.data), ("training data", entry.training_data))
    words = [f"{name} {one_line(path, 200)}" for name, path in paths if path]
    words += [f"{one_line(name, 40)}={one_line(value, 60)}" for name, value in entry.options.items()]
    return ", ".join(words)
