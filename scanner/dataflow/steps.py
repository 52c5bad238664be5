"""A file as one flat list of steps: functions opened at each call, bodies of If, Loop and Scan beside the rest.

Names are only unique within a scope, so every tensor gets a number. A loop leads from the end of its body back to the
beginning: what is computed over the steps has to be computed until nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..scopes import label, place

if TYPE_CHECKING:
    from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

__all__ = ["ABSENT", "Program", "Step", "program"]

ABSENT = -1
"""Number of an optional input that is left out."""

MAX_STEPS = 200_000
MAX_CALLS = 64  # functions that call functions
OWN_DOMAINS = ("", "ai.onnx")

Names = dict[str, int]
Given = Mapping[str, "AttributeProto"]


@dataclass(eq=False)
class Step:
    """One operation on numbered tensors.

    Attributes:
        op: the operator; with its domain before it unless that is ONNX's own. Loop and Scan have steps of their own
            for what goes round: "Loop.carry" (start, end of the round before) and "Loop.counter".
        where: the scope and the node, in words.
        reads: tensors, ``ABSENT`` for one that is left out. "If" reads the condition and then what each branch gives;
            "Loop" the trip count, the condition before the first round and after each, and what the body gives.
        writes: tensors.
        attributes: those of the node, with references to a function's attributes filled in.
        name: the node's own label.
        depth: 0 for a node of the graph itself.
    """

    op: str
    where: str
    reads: list[int]
    writes: list[int]
    attributes: Mapping[str, AttributeProto]
    name: str
    depth: int


@dataclass(eq=False)
class Program:
    """All steps of a file.

    Attributes:
        steps: in the order of the file, those of a body or function before the node that holds or calls it.
        inputs: tensors of the graph's inputs that no initializer fills.
        outputs: tensors of the graph's outputs, in order.
        constants: tensors whose value is in the file.
        types: of the inputs, as numbers of TensorProto's data types; 0 if it is not said.
        names: for tensors of the graph itself, their names.
        count: how many tensors there are.
    """

    steps: list[Step] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    constants: dict[int, TensorProto] = field(default_factory=dict)
    types: dict[int, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    count: int = 0

    def new(self) -> int:
        """The next free number."""
        self.count += 1
        return self.count - 1


def program(model: ModelProto) -> Program:
    """The model's main graph with all that it calls.

    Raises:
        ModelError: functions that call each other without end, or more steps than any honest file has.
    """
    builder = _Builder(model)
    builder.graph()
    return builder.program


class _Builder:
    def __init__(self, model: ModelProto) -> None:
        self.model, self.program = model, Program()
        self.functions = {_key(f.domain, f.name, f): f for f in model.functions}

    def graph(self) -> None:
        graph, out = self.model.graph, self.program
        names = self.declare(graph.node, self.constants(graph, {}))
        for value in graph.input:
            if value.name not in names:
                names[value.name] = out.new()
                out.inputs.append(names[value.name])
                out.types[names[value.name]] = value.type.tensor_type.elem_type
        out.names.update({number: name for name, number in names.items()})
        self.run(graph.node, names, (), {}, 0)
        out.outputs.extend(names.get(value.name, ABSENT) for value in graph.output)

    def constants(self, graph: GraphProto, names: Names) -> Names:
        """These names and those of the graph's initializers."""
        own = dict(names)
        for tensor in (*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)):
            own[tensor.name] = self.program.new()
            self.program.constants[own[tensor.name]] = tensor
        return own

    def declare(self, nodes: Iterable[NodeProto], names: Names) -> Names:
        """These names and those of all that the nodes write, which hide outer ones."""
        for node in nodes:
            names.update((name, self.program.new()) for name in node.output if name)
        return names

    def run(
        self,
        nodes: Iterable[NodeProto],
        names: Names,
        path: tuple[str, ...],
        given: Given,
        calls: int,
    ) -> None:
        for node in nodes:
            if len(self.program.steps) > MAX_STEPS:
                raise ModelError(f"the graph has more than {MAX_STEPS} steps when its functions are opened")
            self.node(node, names, path, given, calls)

    def node(self, node: NodeProto, names: Names, path: tuple[str, ...], given: Given, calls: int) -> None:
        attributes = {a.name: found for a in node.attribute if (found := _resolved(a, given)) is not None}
        reads = [names.get(name, ABSENT) if name else ABSENT for name in node.input]
        writes = [names[name] for name in node.output if name]
        called = self.functions.get(_key(node.domain, node.op_type, node))
        op = node.op_type if node.domain in OWN_DOMAINS else f"{node.domain}.{node.op_type}"
        step = Step(op, place((*path, label(node))), reads, writes, attributes, label(node), calls + len(path))
        inner = (*path, f"node {label(node)}")
        if called is not None:
            self.call(called, step, [names.get(n, ABSENT) if n else ABSENT for n in node.output], inner, calls)
        elif op == "If":
            self.branches(step, names, inner, given, calls)
        elif op in ("Loop", "Scan"):
            self.loop(step, names, inner, given, calls)
        elif op == "Constant" and self.constant(step):
            return
        else:
            self.program.steps.append(step)

    def constant(self, step: Step) -> bool:
        """Whether a Constant node's value is a tensor, which is noted."""
        for name in ("value", "sparse_value"):
            if name in step.attributes and step.writes:
                value = step.attributes[name]
                self.program.constants[step.writes[0]] = value.t if name == "value" else value.sparse_tensor.values
                return True
        if step.writes and (tensor := _tensor_of(step.attributes)) is not None:
            self.program.constants[step.writes[0]] = tensor
            return True
        return False

    def call(self, function: FunctionProto, step: Step, writes: list[int], path: tuple[str, ...], calls: int) -> None:
        if calls >= MAX_CALLS:
            raise ModelError(f"functions call functions more than {MAX_CALLS} deep, at {step.where}")
        given = {a.name: a for a in function.attribute_proto} | dict(step.attributes)
        names = dict(zip(function.input, step.reads, strict=False))
        self.declare(function.node, names)
        self.run(function.node, names, path, given, calls + 1)
        for name, write in zip(function.output, writes, strict=False):
            if write != ABSENT:
                reads = [names.get(name, ABSENT)]
                self.program.steps.append(Step("Identity", step.where, reads, [write], {}, step.name, step.depth))

    def branches(self, step: Step, names: Names, path: tuple[str, ...], given: Given, calls: int) -> None:
        for branch in ("then_branch", "else_branch"):
            if branch in step.attributes:
                step.reads += self.body(step.attributes[branch].g, names, (*path, branch), given, calls)[1]
        self.program.steps.append(step)

    def loop(self, step: Step, names: Names, path: tuple[str, ...], given: Given, calls: int) -> None:
        """A body that runs round: each of its inputs is what came in or what the round before gave."""
        if "body" not in step.attributes:
            self.program.steps.append(step)
            return
        graph = step.attributes["body"].g
        starts, carried = list(step.reads), 0
        if step.op == "Loop":  # counter and condition come first in the body, condition first in what it gives
            carried = len(starts) - 1
        else:
            scanned = step.attributes["num_scan_inputs"].i if "num_scan_inputs" in step.attributes else 0
            carried = max(0, len(starts) - scanned)
        entries = [Step(f"{step.op}.carry", step.where, [start], [self.program.new()], {}, step.name, step.depth)
                   for start in starts]  # fmt: skip
        if entries and step.op == "Loop":
            entries[0].op = "Loop.counter"
        inside, ends = self.body(graph, names, (*path, "body"), given, calls, [e.writes[0] for e in entries])
        backs = entries[1:] if step.op == "Loop" else entries[:carried]
        for entry, end in zip(backs, ends, strict=False):
            entry.reads.append(end)
        self.program.steps[inside:inside] = entries
        step.reads += ends
        self.program.steps.append(step)

    def body(
        self, graph: GraphProto, outer: Names, path: tuple[str, ...], given: Given, calls: int,
        inputs: list[int] | None = None,
    ) -> tuple[int, list[int]]:  # fmt: skip
        """Where the body's steps begin, and the tensors that it gives."""
        names = self.constants(graph, outer)
        names.update(zip((value.name for value in graph.input), inputs or [], strict=False))
        self.declare(graph.node, names)
        start = len(self.program.steps)
        self.run(graph.node, names, path, given, calls)
        return start, [names.get(value.name, ABSENT) for value in graph.output]


def _key(domain: str, name: str, holder: object) -> tuple[str, str, str]:
    return ("" if domain in OWN_DOMAINS else domain, name, getattr(holder, "overload", ""))


def _resolved(attribute: AttributeProto, given: Given) -> AttributeProto | None:
    """The attribute itself, or what its reference to a function's attribute stands for."""
    return given.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute


def _tensor_of(attributes: Mapping[str, AttributeProto]) -> TensorProto | None:
    """A Constant node's number or list of numbers as a tensor."""
    from onnx import TensorProto, helper

    held = {"value_float": "f", "value_floats": "floats", "value_int": "i", "value_ints": "ints"}
    for name, part in held.items():
        if name in attributes:
            value = getattr(attributes[name], part)
            numbers = list(value) if part in ("floats", "ints") else [value]
            dims = [len(numbers)] if part in ("floats", "ints") else []
            return helper.make_tensor("", TensorProto.FLOAT if part[0] == "f" else TensorProto.INT64, dims, numbers)
    return None
