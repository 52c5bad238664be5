"""The conversion report's tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE
from rich.table import Table

from .examine import Finding, State
from .node_gradients import GradientResult, Slope
from .node_tests import Outcome, Result

__all__ = ["failure_table", "family_table", "gradient_line", "node_table", "operator_line", "suspect_table"]


def node_table(results: Sequence[Result]) -> Table:
    """Count the backend tests by outcome, and give each that does not match a row with the reason."""
    counts = Counter(result.outcome for result in results)
    title = f"ONNX backend node tests: {counts[Outcome.MATCH]} of {len(results)} match"
    table = Table("test", "operators", "outcome", "reason", title=title, title_justify="left", box=SIMPLE)
    for result in results:
        if result.outcome is not Outcome.MATCH:
            operators = ", ".join(result.case.operators)
            table.add_row(result.case.name, operators[:40], result.outcome.value, result.reason)
    return table


def gradient_line(results: Sequence[GradientResult]) -> str:
    """Say how the gradients of the backend tests that match compare with finite differences."""
    counts = Counter(result.slope for result in results)
    wrong = [f"{r.case.name} ({r.reason})" for r in results if r.slope is Slope.DIFFERS]
    line = (
        f"Gradients of these: {counts[Slope.MATCH]} agree with finite differences, {len(wrong)} do not, "
        f"{counts[Slope.SURROGATE]} are surrogates by design, {counts[Slope.NONE]} have nothing to differentiate."
    )
    return "\n".join([line, *wrong])


def operator_line(results: Sequence[Result], found: Sequence[Finding]) -> str:
    """Say how the backend tests of operators that occur in these files' classifiers go."""
    used = {name for finding in found if finding.inputs in ("real", "random") for name, _ in finding.operators}
    theirs = [r for r in results if set(r.case.operators) <= used]
    failed = sorted(r.case.name for r in theirs if r.outcome is not Outcome.MATCH)
    tested = {name for r in theirs for name in r.case.operators}
    line = (
        f"Operators that occur in the classifiers below: {len(used)}, {len(tested)} of them with backend tests; "
        f"{len(theirs) - len(failed)} of these {len(theirs)} tests match"
    )
    return f"{line}, all but {', '.join(failed)}." if failed else f"{line}."


def family_table(families: Mapping[str, Sequence[Finding]], refused: Mapping[str, Mapping[str, str]]) -> Table:
    """One row a family: how far its models came, and the largest difference as a share of what is allowed."""
    table = Table("family", "not exported", "models", *State, "largest difference / allowed", title="Whole models",
                  title_justify="left", box=SIMPLE)  # fmt: skip
    for name, found in families.items():
        counts = Counter(finding.state for finding in found)
        cells = [str(counts[state]) for state in State]
        table.add_row(name, str(len(refused.get(name, {}))), str(len(found)), *cells, _largest(found))
    every = [finding for found in families.values() for finding in found]
    total = Counter(finding.state for finding in every)
    table.add_section()
    left = sum(map(len, refused.values()))
    table.add_row("all", str(left), str(len(every)), *(str(total[state]) for state in State), _largest(every))
    return table


def failure_table(found: Sequence[Finding]) -> Table:
    """One row for each file that does not agree, with the reason."""
    table = Table(
        "model", "state", "reason", title="Those that have no twin to follow", title_justify="left", box=SIMPLE
    )
    for finding in found:
        if finding.state is not State.AGREES:
            table.add_row(finding.name, finding.state, finding.reason)
    return table


def suspect_table(found: Sequence[Finding]) -> Table:
    """One row a file."""
    counts = Counter(finding.state for finding in found)
    told = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    table = Table("model", "state", "inputs", "difference", "allowed", "gradient", "reason",
                  title=f"Third-party models: {told}", title_justify="left", box=SIMPLE)  # fmt: skip
    for f in found:
        numbers = ["" if value is None else f"{value:.1e}" for value in (f.relative, f.tolerance)]
        gradient = "" if f.state is not State.AGREES else ", ".join(f.surrogates)[:40] or "exact"
        table.add_row(f.name[-46:], f.state, f.inputs, *numbers, gradient, f.reason)
    return table


def _largest(found: Sequence[Finding]) -> str:
    shares = [f.relative / f.tolerance for f in found if f.relative is not None and f.tolerance]
    return f"{max(shares):.2f}" if shares else ""
