"""What has to become true inside a graph for a gate to fire: margins of its decisions, or its signal's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..dataflow import Flow, Step
from ..dataflow.operators import ACTIVATIONS, COMPARISONS
from ..gates import Gate
from ..gates.hard import HardGates

__all__ = ["Aim", "aims_of"]

ROUNDING = frozenset({"Cast", "Floor", "Ceil", "Round"})
MOST = 6  # aims of a gate
BENT = frozenset({"ReduceMax", "ReduceMin", "ReduceMean", "ReduceSum", "GlobalMaxPool", "Relu", "Clip", "Exp",
                  "Sigmoid", "Tanh", "Softplus", "HardSigmoid", "QuantizeLinear"})  # fmt: skip
SEEN_THROUGH = BENT | {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Identity", "DequantizeLinear", "Add",
                       "Sub", "Mul", "Div", "Neg"}  # fmt: skip
FLIPPED = {"Less": -1.0, "LessOrEqual": -1.0}
UNDEFINED = {"Sqrt": -1.0, "Log": -1.0, "Div": 0.0}


@dataclass(frozen=True, eq=False)
class Aim:
    """One thing to bring about.

    Attributes:
        words: what it is, for people.
        names: the tensors that it is made of, of the main graph.
        margin: of these, torch or numpy alike: per element more than 0 where the decision says yes; for what has no
            decision, the larger the louder.
        dense: a tensor of which a reduction is judged, "" if there is none: a search does well to move it all.
        bounded: whether a margin above 0 is enough.
    """

    words: str
    names: tuple[str, ...]
    margin: Callable[..., Any]
    dense: str = ""
    bounded: bool = True


def aims_of(flow: Flow, gate: Gate) -> list[Aim]:
    """The aims of a gate, those nearest to its switch last; empty where nothing of it lies in the main graph."""
    found = _of_decisions(flow, gate) if gate.decisions else _of_bends(flow, gate)
    return list(found)[-MOST:]


def _of_decisions(flow: Flow, gate: Gate) -> Iterator[Aim]:
    """Of decisions that look at numbers, not at outcomes; of roundings only if no comparison looks at them."""
    hard = HardGates(flow)
    own = {id(step) for step in gate.decisions}
    rounding = 0
    for bit, step in hard.decisions.values():
        rounding |= bit if step.op in ROUNDING else 0
    plain = []
    for step in gate.decisions:
        behind = 0
        for value in flow.values(step):
            behind |= hard.outcomes[value]
        if not behind & ~rounding and id(step) in own:
            plain.append(step)
    comparing = [step for step in plain if step.op not in ROUNDING]
    for step in comparing or plain:
        if (aim := _of_decision(flow, step)) is not None:
            yield aim


def _of_decision(flow: Flow, step: Step) -> Aim | None:
    operands = [flow.program.names.get(read, "") for read in step.reads]
    value = next((r for r in flow.values(step) if r in flow.program.names), None)
    if value is None:
        return None
    name, dense = flow.program.names[value], _dense(flow, value)
    if step.op in COMPARISONS and len(operands) == 2:
        return _comparison(flow, step, operands, dense)
    if step.op == "IsNaN":
        return _undefined(flow, value)
    if step.op in ("ArgMax", "ArgMin", "Hardmax", "TopK"):
        sign = -1.0 if step.op == "ArgMin" else 1.0
        return Aim(step.where, (name,), lambda a: sign * (a[..., -1] - a[..., 0]), dense, bounded=True)
    return Aim(step.where, (name,), lambda a: a, dense, bounded=step.op == "Sign")


def _comparison(flow: Flow, step: Step, operands: list[str], dense: str) -> Aim | None:
    """a > b as a margin; a constant beside the value is read from the file."""
    kept, constants = [], {}
    for i, (read, name) in enumerate(zip(step.reads, operands, strict=True)):
        if flow.taint[read]:
            kept.append(name)
        else:
            constants[i] = flow.constant(read)
    if not all(kept) or any(value is None for value in constants.values()):
        return None
    sign = FLIPPED.get(step.op, 1.0)

    def margin(*values: Any) -> Any:
        given = iter(values)
        pair = [_like(constants[i], values[0]) if i in constants else next(given) for i in range(2)]
        apart = 1.0 * pair[0] - 1.0 * pair[1]
        return -abs(apart) if step.op == "Equal" else sign * apart

    return Aim(step.where, tuple(kept), margin, dense)


def _undefined(flow: Flow, value: int) -> Aim | None:
    """Not a number comes out of a root or logarithm of what is below 0, or out of 0 / 0."""
    step = flow.producer.get(value)
    while step is not None and step.op not in UNDEFINED:
        values = flow.values(step)
        step = flow.producer.get(values[0]) if len(values) == 1 else None
    if step is None or step.reads[-1] not in flow.program.names:
        return None
    read = step.reads[-1]
    name, dense = flow.program.names[read], _dense(flow, read)
    if step.op == "Div":
        return Aim(step.where, (name,), lambda a: -abs(a), dense)
    return Aim(step.where, (name,), lambda a: -a, dense)


def _of_bends(flow: Flow, gate: Gate) -> Iterator[Aim]:
    """Of a soft gate: what goes into each step that is not linear, on the gate's own way, and the signal itself."""
    shared = flow.upstream(gate.mains)
    own = [s for key, s in flow.upstream(gate.controls).items() if key not in shared and s.op in ACTIVATIONS]
    for step in reversed(own):  # upstream begins at the end
        value = next((r for r in flow.values(step) if r in flow.program.names), None)
        if value is not None:
            yield Aim(step.where, (flow.program.names[value],), lambda a: a, _dense(flow, value), bounded=False)
    for control in gate.controls:
        if control in flow.program.names:
            yield Aim("the signal", (flow.program.names[control],), lambda a: a, "", bounded=False)


def _dense(flow: Flow, value: int) -> str:
    """The tensor behind reductions and functions that only grow or only fall; "" where there are none of them."""
    found, bent = value, False
    while (step := flow.producer.get(value)) is not None:
        values = flow.values(step)
        if len(values) != 1 or values[0] not in flow.program.names or step.op not in SEEN_THROUGH:
            break
        value, bent = values[0], bent or step.op in BENT
        found = value if bent else found
    return flow.program.names[found] if bent else ""


def _like(constant: Any, value: Any) -> Any:
    """A constant of the same kind of array as a value."""
    if hasattr(value, "new_tensor"):
        import torch

        return torch.tensor(constant, device=value.device)
    return constant
