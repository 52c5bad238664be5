"""``onnxray diff``: what changed between a trusted model and another file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from .exit_codes import DEBUG, ExitCode
from .flags import PATH

if TYPE_CHECKING:
    from ..diff import Diff
    from ..diff_values import WeightChange

_BARS = ("fine-tuned", "graph-changed")
_SHOWN = 12  # lines of one kind without --all


@click.command()
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Form of the answer.")
@click.option(
    "--fail-on", type=click.Choice(_BARS), default=_BARS[0], show_default=True, help="Exit with 1 from this change on."
)
@click.option("--all", "everything", is_flag=True, help="Show every change, not only the first 12 of a kind.")
@click.option("--debug", is_flag=True, help="Show a traceback for an unexpected error.")
@click.pass_context
def diff(
    context: click.RichContext, /, a: Path, b: Path, form: str, fail_on: str, everything: bool, debug: bool
) -> None:
    """Say what changed from model A, which you trust, to model B: nodes, edges, weights and metadata.

    Use it where you have the file that a download should be. Names do not count: a file whose nodes and tensors were
    renamed or whose weights were reordered has the same weights. Neither file is run.

    \b
    Examples:
      onnxray diff trusted.onnx downloaded.onnx
      onnxray diff trusted.onnx downloaded.onnx -f json --fail-on graph-changed

    \b
    Exit codes:
      0    same weights, or a change below --fail-on
      1    fine-tuned or graph changed
      2    a file that cannot be read
      4    wrong usage
      130  interrupted

    \b
    See also:
      onnxray audit       what a single file gives away
      onnxray evaluate    what a change does to accuracy
    """
    from ..diff import Sameness, compare

    context.meta[DEBUG] = debug
    found = compare(a, b)
    click.echo(_json(found) if form == "json" else "\n".join(_lines(found, None if everything else _SHOWN)))
    bar = {"fine-tuned": (Sameness.TUNED, Sameness.GRAPH), "graph-changed": (Sameness.GRAPH,)}[fail_on]
    context.exit(ExitCode.FOUND if found.verdict in bar else ExitCode.PASS)


def _json(found: Diff) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def _lines(found: Diff, most: int | None) -> Iterator[str]:
    yield found.verdict.upper()
    yield f"{found.matched} nodes match; {found.equal} constants are equal, {len(found.weights)} differ"
    for title, lines in (
        ("nodes only in A", found.removed),
        ("nodes only in B", found.added),
        ("nodes with other attributes", found.changed),
        ("edges only in A", found.removed_edges),
        ("edges only in B", found.added_edges),
        ("constants that differ", tuple(_weight(change) for change in found.weights)),
        ("metadata", found.metadata),
    ):
        if lines:
            yield f"\n{title}:"
            yield from (f"  {line}" for line in lines[:most])
            if most is not None and len(lines) > most:
                yield f"  and {len(lines) - most} more; --all shows them"


def _weight(change: WeightChange) -> str:
    if not change.comparable:
        before, after = (str(list(s)) if s is not None else "absent" for s in (change.before, change.after))
        return f"{change.name}: {before} -> {after}"
    share = f"{change.differ:,} of {change.values:,} values"
    if change.largest != change.largest:
        return f"{change.name}: {share} differ"
    return (
        f"{change.name}: {share} differ, by {change.relative:.2%} of its length; most at {list(change.where)}, "
        f"by {change.largest:.3g}"
    )
