"""The table of supported operators, for docs/operators.md: python -m onnxray.models.conversion.operator_table."""

from __future__ import annotations

import inspect
from itertools import groupby

import rich_click as click

from ...converters.operators import Operator, table

__all__ = ["markdown"]

_HEAD = """# Operators that have a twin

Made by `make operators`; do not edit. The first opset of each entry is that of ONNX, or of the operator's own domain;
an entry holds until the next one of the same name. The gradient is *exact* where it is autograd's own,
*straight-through* where a rounding is left out of it, *soft* where a decision is smoothed, and *none* where the output
is discrete. What is not here is looked up among onnx2torch's converters; `onnxray inspect MODEL` tells what a file
needs.
"""


def markdown() -> str:
    """Return one table a domain, a row an operator, with what it computes."""
    parts = [_HEAD]
    for domain, operators in groupby(table(), key=lambda operator: operator.domain):
        parts.append(
            f"\n## {domain or 'ai.onnx'}\n\n| operator | from opset | gradient | what it is |\n|---|---|---|---|\n"
        )
        for name, versions in groupby(operators, key=lambda operator: operator.name):
            parts.append(_row(name, list(versions)))
    return "".join(parts)


def _row(name: str, versions: list[Operator]) -> str:
    opsets = ", ".join(str(version.since) for version in versions)
    gradient = ", ".join(dict.fromkeys(version.gradient.value for version in versions))
    told = (inspect.getdoc(versions[-1].function) or "").split("\n")[0].replace("|", "\\|")
    return f"| {name} | {opsets} | {gradient} | {told} |\n"


@click.command()
def main() -> None:
    """Print the table."""
    click.echo(markdown(), nl=False)


if __name__ == "__main__":
    main()
