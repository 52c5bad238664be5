"""Hard gates: a comparison or a step function of the input's values whose outcome switches something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..dataflow import ABSENT, Flow, Step
from ..dataflow.operators import COMPARISONS, CONTROL, LOGIC, POINTWISE, REDUCTIONS, decides
from ..findings import Severity
from . import Gate, shown_share, way

__all__ = ["HardGates"]

FEW = 0.05  # of the weights before the switch: a gate that reads so little of the network goes round it
LATE = 0.05  # of all weights: with so few of them after the switch, it is near the scores
NARROW = 64  # elements of a matrix through which an outcome stays an outcome
WHOLE = frozenset({"ArgMax", "ArgMin", "NonZero", "Cast", "Gather", "Size", "Shape"})  # what they give, or moves of it
INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})  # TensorProto types to which a cast jumps; 9 is bool


@dataclass(frozen=True, eq=False)
class Switch:
    """A step that reads the outcome of decisions beside something else.

    Attributes:
        bits: which decisions.
        controls: the tensors that are outcomes.
        mains: the others, as far as they depend on the input.
    """

    step: Step
    bits: int
    controls: tuple[int, ...]
    mains: tuple[int, ...]


class HardGates:
    """All hard gates of a file."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        found = (s for s in flow.program.steps if self._decides(s))
        self.decisions: dict[int, tuple[int, Step]] = {id(s): (1 << i, s) for i, s in enumerate(found)}

    def __iter__(self) -> Iterator[Gate]:
        """One gate for each set of decisions, at the last of its switches that weighs most."""
        best: dict[int, tuple[int, Gate, int]] = {}
        for switch in self.switches:
            if (gate := self._gate(switch)) is None:
                continue
            rank = list(Severity).index(gate.severity)
            known = best.get(switch.bits)
            count = known[2] + 1 if known else 1
            best[switch.bits] = (rank, gate, count) if known is None or rank >= known[0] else (*known[:2], count)
        yield from (gate for _, gate, _ in best.values())

    def _decides(self, step: Step) -> bool:
        return bool(self.flow.values(step)) and (decides(step.op) or self._truncates(step) or step.op == "TopK")

    def _truncates(self, step: Step) -> bool:
        """Whether a step casts a number with a fraction to a whole one or a boolean."""
        if step.op != "Cast" or "to" not in step.attributes or step.attributes["to"].i not in INTEGERS:
            return False
        before = self.flow.producer.get(step.reads[0])
        if before is None:
            return self.flow.program.types.get(step.reads[0]) not in INTEGERS
        return before.op not in COMPARISONS | LOGIC | WHOLE

    @cached_property
    def outcomes(self) -> list[int]:
        """For each tensor the bits of the decisions of which it is an outcome, 0 for all that is more than that."""

        def after(step: Step, bits: list[int]) -> int:
            own = self.decisions.get(id(step), (0,))[0]
            values = self.flow.values(step)
            if not values or not self._passes_on(step) or not all(bits[v] for v in values):
                return own
            return own | _union(bits, values)

        return self.flow.forward({}, after)

    def _passes_on(self, step: Step) -> bool:
        if step.op not in CONTROL and not decides(step.op) and step.op != "TopK":
            return False
        constants = (r for r in step.reads if r != ABSENT and not self.flow.taint[r])
        return (
            step.op not in ("MatMul", "Gemm", "Einsum")
            or max(map(self.flow.size, constants), default=0) <= NARROW
            or self._spreads(step)
        )

    def _spreads(self, step: Step) -> bool:
        """Whether a matrix has one row: what it multiplies is a single number for each example."""
        from math import prod

        protos = [self.flow.program.constants.get(r) for r in step.reads if r != ABSENT]
        return any(p is not None and len(p.dims) == 2 and prod(p.dims) and min(p.dims) == 1 for p in protos)

    @property
    def switches(self) -> Iterator[Switch]:
        """Every step with an outcome among what it reads, that gives more than an outcome."""
        for step in self.flow.program.steps:
            values = self.flow.values(step)
            controls = tuple(v for v in values if self.outcomes[v])
            if not controls or id(step) in self.decisions or any(self.outcomes[w] for w in step.writes):
                continue
            mains = tuple(v for v in values if not self.outcomes[v])
            if mains:
                yield Switch(step, _union(self.outcomes, controls), controls, mains)

    def _gate(self, switch: Switch) -> Gate | None:
        decisions = tuple(step for bit, step in self.decisions.values() if switch.bits & bit)
        if self._is_activation(switch):
            return None
        severity, words, provable = self._weigh(switch, decisions)
        names = sorted({step.op for step in decisions} - {"Cast"}) or ["Cast"]
        message = f"{', '.join(names)} on values of the input: the outcome {_effect(switch)}; {words}"
        path = way(self.flow, switch.controls, decisions[-1], switch.step)
        return Gate("hard", severity, message, switch.step, switch.controls, switch.mains, decisions, path, provable)

    def _weigh(self, switch: Switch, decisions: tuple[Step, ...]) -> tuple[Severity, str, bool]:
        """How bad, why, and whether it is worth a proof."""
        flow = self.flow
        everything = flow.weights(flow.before(flow.program.outputs))
        joined = flow.weights(flow.before((*switch.controls, *switch.mains)))
        side, main = (flow.weights(flow.before(ids)) for ids in (switch.controls, switch.mains))
        after = flow.weights(_union(flow.later, switch.step.writes))
        if not everything or "NonMaxSuppression" in {s.op for s in flow.program.steps}:
            return Severity.NOTE, "the file is no neural classifier, where that is usual", False
        if self._is_mask(switch):
            return Severity.NOTE, "that looks like the mask of an attention, which is usual", False
        late = after <= LATE * everything or after.bit_count() == 0
        share = f"it reads {shown_share(side / joined if joined else 0)} of the weights before it"
        if self._overrides(switch) and (late or not joined):
            return Severity.HIGH, f"there a constant replaces what was worked out; {share}", True
        compares = all(step.op in COMPARISONS for step in decisions)
        if not joined:
            return Severity.NOTE, "that is before anything learned, as preprocessing is", compares
        if side <= FEW * joined and main > side:
            where = "near the scores" if late else "within the network"
            words = f"{share}, goes round the network, and {where}"
            return Severity.HIGH if late or not side else Severity.MEDIUM, words, True
        if compares and late:
            return Severity.LOW, f"{share}: conditional computation on learned features", True
        return Severity.NOTE, f"{share}: rounding or conditional computation on learned features", False

    def _overrides(self, switch: Switch) -> bool:
        """Whether what is chosen instead is a constant of more than one number."""
        if switch.step.op not in ("Where", "If"):
            return False
        return any(self.flow.size(r) > 1 for r in switch.step.reads[1:] if r != ABSENT and not self.flow.taint[r])

    def _is_activation(self, switch: Switch) -> bool:
        """Whether all that the switch reads is made of one tensor, element by element."""
        return len(self._roots((*switch.controls, *switch.mains))) <= 1

    def _roots(self, tensors: tuple[int, ...]) -> set[int]:
        roots, seen, pending = set[int](), set[int](), list(tensors)
        while pending:
            tensor = pending.pop()
            if tensor in seen:
                continue
            seen.add(tensor)
            step = self.flow.producer.get(tensor)
            if step is not None and step.op in POINTWISE:
                pending += self.flow.values(step)
            else:
                roots.add(tensor)
        return roots

    def _is_mask(self, switch: Switch) -> bool:
        """Whether the outcome tells words from padding: in front of an inner Softmax, or in a mean over the words."""
        return self._masks_softmax(switch) or self._masks_mean(switch)

    def _masks_mean(self, switch: Switch) -> bool:
        """Whether whole numbers of the input, each compared by itself, multiply, or their count divides."""
        types, counted = self.flow.program.types, False
        for step in self.flow.upstream(switch.controls).values():
            values = [v for v in self.flow.values(step) if v in self.flow.program.inputs]
            if any(types.get(v) not in INTEGERS for v in values) or step.op in ("Slice", "Gather", "ArgMax"):
                return False
            if step.op in COMPARISONS and any(self.flow.size(r) > 1 for r in step.reads):
                return False
            counted |= step.op in REDUCTIONS
        return switch.step.op == ("Div" if counted else "Mul")

    def _masks_softmax(self, switch: Switch) -> bool:
        for write in switch.step.writes:
            tensor = write
            while (readers := self.flow.readers.get(tensor, [])) and len(readers) == 1:
                step = readers[0]
                if step.op == "Softmax":
                    return bool(_union(self.flow.later, step.writes))
                if step.op not in POINTWISE or not step.writes:
                    break
                tensor = step.writes[0]
        return False


def _effect(switch: Switch) -> str:
    op = switch.step.op
    if op in ("Where", "If"):
        return f"chooses in {op}"
    if op in ("Loop", "Scan"):
        return "rules a Loop"
    if op.startswith(("Gather", "Scatter")):
        return f"is an index of {op}"
    return f"enters {op}"


def _union(bits: list[int], tensors: object) -> int:
    found = 0
    for tensor in tensors:  # type: ignore[attr-defined]
        if tensor != ABSENT:
            found |= bits[tensor]
    return found
