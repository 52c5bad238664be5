"""Gates: places where few values of the input decide over what the whole network has worked out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..dataflow import ABSENT, Flow, Step
from ..findings import Severity

__all__ = ["Gate", "labels", "shown_share", "way"]

MOST_LABELS = 40


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate.

    Attributes:
        kind: "hard" (a decision switches), "soft" (arithmetic that is silent up to a point), "side" (a network of its
            own that joins at the scores).
        severity: of the finding.
        message: what is there, in words.
        switch: the step where the gate's signal meets what it changes.
        controls: the tensors that the switch reads from the gate.
        mains: the other tensors that it reads and that depend on the input.
        decisions: the steps that decide; none for soft gates.
        path: the steps from an input over the gate to an output.
        provable: whether an input that makes it fire would prove something; not so for what is usual in a network.
    """

    kind: str
    severity: Severity
    message: str
    switch: Step
    controls: tuple[int, ...]
    mains: tuple[int, ...]
    decisions: tuple[Step, ...]
    path: tuple[Step, ...]
    provable: bool = True


def way(flow: Flow, over: Iterable[int], decision: Step | None, switch: Step) -> tuple[Step, ...]:
    """The steps from an input over a decision, if any, and one of these tensors to the switch and an output."""
    inputs, over = flow.program.inputs, tuple(over)
    if decision is None:
        first = flow.path(inputs, over)
    else:
        first = [*flow.path(inputs, [r for r in decision.reads if r != ABSENT]), decision]
        first += flow.path(decision.writes, over)
    rest = flow.path(switch.writes, flow.program.outputs)
    return tuple(dict.fromkeys((*first, switch, *rest)))


def labels(steps: Sequence[Step]) -> list[str]:
    """Names of steps for a finding's path; a very long one has its middle left out."""
    names = [step.where for step in steps]
    if len(names) <= MOST_LABELS:
        return names
    half = MOST_LABELS // 2
    return [*names[:half], f"... {len(names) - 2 * half} more ...", *names[-half:]]


def shown_share(share: float) -> str:
    """A share in per cent, with one decimal place where it is small."""
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
