"""Soft gates and side networks: a second way from the input to the scores that goes round what was learned."""

from __future__ import annotations

from collections.abc import Iterator

from ..dataflow import ABSENT, Flow, Step
from ..dataflow.operators import ACTIVATIONS, REDUCTIONS
from ..findings import Severity
from . import Gate, shown_share, way
from .hard import LATE, HardGates

__all__ = ["late_side_networks", "soft_gates"]

FEW = 0.05  # of the weights before the join
SIDE = 0.25  # weights of a side network, as a multiple of those of the way beside it
NONLINEAR = ACTIVATIONS | (REDUCTIONS - {"ReduceSum", "ReduceMean", "AveragePool", "GlobalAveragePool", "CumSum"})
BOUNDED = frozenset(
    {"Relu", "Sigmoid", "Tanh", "Clip", "HardSigmoid", "Exp", "Pow", "Softplus", "Max", "Min", "Softmax"}
)
JOINS = frozenset({"Add", "Sub", "Sum", "Max", "Min", "Mean", "Mul", "Where", "Div"})


def soft_gates(flow: Flow) -> Iterator[Gate]:
    """Every arithmetic way from the input that reads next to none of the network and joins it near the scores."""
    hard = HardGates(flow)
    everything = flow.weights(flow.before(flow.program.outputs))
    for step in flow.program.steps:
        values = flow.values(step)
        after = _later(flow, step)
        late = after.bit_count() <= 1 or flow.weights(after) <= LATE * everything
        if len(values) < 2 or not late or any(hard.outcomes[v] for v in values):
            continue
        for side in values:
            mains = tuple(v for v in values if v != side)
            if gate := _soft_gate(flow, hard, step, side, mains):
                yield gate
                break


def _soft_gate(flow: Flow, hard: HardGates, join: Step, side: int, mains: tuple[int, ...]) -> Gate | None:
    joined, own = flow.weights(flow.before((side, *mains))), flow.weights(flow.before([side]))
    if not flow.weights(flow.before(mains)) or own > FEW * joined:
        return None
    exclusive = _exclusive(flow, side, mains)
    if any(id(step) in hard.decisions for step in exclusive):
        return None
    bends = [step.op for step in exclusive if step.op in NONLINEAR]
    if not bends:
        return None
    message = (
        f"a second way from the input reads {shown_share(own / joined)} of the weights before it, is not linear "
        f"({', '.join(dict.fromkeys(bends))}), and joins the network near the scores in {join.op}"
    )
    return Gate("soft", Severity.HIGH, message, join, (side,), mains, (), way(flow, [side], None, join))


def late_side_networks(flow: Flow) -> Iterator[Gate]:
    """Every small network of its own whose last layer can only push scores, added behind the last layer of the rest.

    Joins that are hard or soft gates are left to those.
    """
    hard = HardGates(flow)
    known = {id(gate.switch) for gate in soft_gates(flow)}
    for step in flow.program.steps:
        values = flow.values(step)
        if id(step) in known or any(hard.outcomes[v] for v in values):
            continue
        if step.op not in JOINS or len(values) != 2 or _later(flow, step):
            continue
        for side, main in (values, values[::-1]):
            own, other = (flow.before([one]) & ~flow.before([two]) for one, two in ((side, main), (main, side)))
            small = own and other and flow.weights(own) <= SIDE * flow.weights(other)
            if small and (bend := _bend(flow, side, own)) and not _bend(flow, main, other):
                yield _side_network(flow, step, side, main, bend, flow.weights(own) / flow.weights(other))
                break


def _side_network(flow: Flow, join: Step, side: int, main: int, bend: str, share: float) -> Gate:
    message = (
        f"a side network with {shown_share(share)} of the weights of the way beside it ends in {bend} behind its last "
        f"layer, and its scores join those of the network in {join.op}: it is silent or pushes, as a gate does"
    )
    return Gate("side", Severity.HIGH, message, join, (side,), (main,), (), way(flow, [side], None, join))


def _bend(flow: Flow, tensor: int, own: int) -> str:
    """The bounded or one-sided function between a branch's last own layer and this tensor; "" if there is none."""
    for _ in range(len(flow.program.steps)):
        step = flow.producer.get(tensor)
        if step is None or flow.layers.get(id(step), (0, 0))[0] & own:
            return ""
        if step.op in BOUNDED:
            return step.op
        values = flow.values(step)
        if len(values) != 1:
            return ""
        tensor = values[0]
    return ""


def _exclusive(flow: Flow, side: int, mains: tuple[int, ...]) -> list[Step]:
    """Steps before the one that are not before the others."""
    shared = flow.upstream(mains)
    return [step for key, step in flow.upstream([side]).items() if key not in shared and flow.values(step)]


def _later(flow: Flow, step: Step) -> int:
    found = 0
    for write in step.writes:
        if write != ABSENT:
            found |= flow.later[write]
    return found
