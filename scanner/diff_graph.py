"""A file's graph without its names: every node with labels that renaming and reordering leave alone.

A node has three labels. The one from *above* stands for everything that leads to it from the inputs, the one from
*below* for everything that it leads to, the *local* one for its neighbours. What changed in a graph is what no label
finds again in the other.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from ..converters.wire_message import Message, Span

__all__ = ["Constant", "Node", "View", "view"]

_ROUNDS = 2  # neighbours of neighbours


@dataclass(eq=False)
class Constant:
    """An initializer, or the output of a Constant node: what may be a weight."""

    name: str
    place: str
    tensor: Message

    @property
    def kind(self) -> str:
        """Type and shape."""
        return _hash("constant", self.tensor.small_integer("data_type"), self.tensor.integers("dims", 64))


@dataclass(eq=False)
class Node:
    """One node: ``what`` is its operator with its attributes; ``inputs`` are nodes with an output's index, constants,
    or the number of an input of the scope; ``reads`` are those of its bodies' reads that lie outside them."""

    name: str
    operator: str
    place: str
    what: str
    inputs: list[tuple[Node, int] | Constant | str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    above: str = ""
    below: str = ""
    local: str = ""


@dataclass
class View:
    """All nodes and constants of a file, and its signature: the labels of its outputs."""

    nodes: list[Node] = field(default_factory=list)
    constants: list[Constant] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


Known = dict[str, "tuple[Node, int] | Constant | str"]


def view(root: Message) -> View:
    """The graph and the functions of a file.

    Raises:
        ValueError: nodes need each other in a circle.
    """
    found = View()
    functions = {(f.text("domain"), f.text("name")): f for f in root.messages("functions")}
    for (domain, name), function in functions.items():
        known: Known = {n: f"input {i}" for i, n in enumerate(function.texts("input"))}
        ends = _scope(function, known, f"function {domain}:{name}", function.texts("output"), found)
        found.outputs.append(_hash("function", domain, name, ends, _plain(function, "attribute_proto")))
    for graph in root.messages("graph"):
        constants = {t.text("name") for t in graph.messages("initializer")}
        given = [v for v in graph.messages("input") if v.text("name") not in constants]
        known = {v.text("name"): f"input {i}" for i, v in enumerate(given)}
        outputs = [v.text("name") for v in graph.messages("output")]
        found.outputs += _scope(graph, known, "graph", outputs, found)
    _label_below(found.nodes)
    _label_neighbours(found.nodes)
    return found


def _scope(scope: Message, outer: Known, place: str, outputs: list[str], found: View) -> list[str]:
    """Add the nodes of a graph, body or function in order of execution; returns the labels of its outputs."""
    known = dict(outer)
    for tensor in scope.messages("initializer"):
        known[tensor.text("name")] = Constant(tensor.text("name"), place, tensor)
    for message in _in_order(scope):
        names = message.texts("output")
        if (constant := _constant(message)) is not None:
            known[names[0]] = Constant(names[0], place, constant)
            continue
        node = _node(message, known, place, found)
        known.update({name: (node, i) for i, name in enumerate(names) if name})
        found.nodes.append(node)
    own = {id(c): c for c in known.values() if isinstance(c, Constant) and c.place == place}
    found.constants += own.values()
    for i, name in enumerate(outputs):
        if isinstance(source := known.get(name), tuple):
            source[0].readers.append(_hash("output", place, i, source[1]))
    return [_label(known.get(name, "missing")) for name in outputs]


def _node(message: Message, known: Known, place: str, found: View) -> Node:
    name, operator = message.text("name"), message.text("op_type")
    domain = message.text("domain")
    what = _hash(domain, operator, message.text("overload"), sorted(_attributes(message)))
    node = Node(name, f"{domain}:{operator}" if domain else operator, place, what)
    node.inputs = [known.get(n, "missing") if n else "none" for n in message.texts("input")]
    for attribute in message.messages("attribute"):
        for body in (*attribute.messages("g"), *attribute.messages("graphs")):
            inner: Known = {v.text("name"): f"body input {i}" for i, v in enumerate(body.messages("input"))}
            outputs = [v.text("name") for v in body.messages("output")]
            inside = f"{place}/{name or operator}.{attribute.text('name')}"
            node.bodies += _scope(body, {**known, **inner}, inside, outputs, found)
    node.above = _hash(node.what, node.bodies, [_label(source) for source in node.inputs])
    return node


def _in_order(scope: Message) -> Iterator[Message]:
    messages = scope.messages("node")
    makers = {name: i for i, message in enumerate(messages) for name in message.texts("output") if name}
    needs = {i: {makers[n] for n in _reads(message) if n in makers} for i, message in enumerate(messages)}
    if all(before < i for i, those in needs.items() for before in those):
        yield from messages
        return
    try:
        yield from (messages[i] for i in TopologicalSorter(needs).static_order())
    except CycleError:
        raise ValueError("nodes need each other in a circle") from None


def _reads(node: Message) -> Iterator[str]:
    for message in node.walk():
        if message.type == "Node":
            yield from message.texts("input")
        elif message.type == "Graph":
            yield from (value.text("name") for value in message.messages("output"))


def _constant(node: Message) -> Message | None:
    if node.text("op_type") != "Constant" or not node.texts("output"):
        return None
    return next((t for a in node.messages("attribute") for t in a.messages("t")), None)


def _attributes(node: Message) -> Iterator[str]:
    """Each attribute as text, without documentation and bodies."""
    for attribute in node.messages("attribute"):
        yield _plain(attribute)


def _plain(message: Message, *only: str) -> str:
    parts = []
    for name, values in sorted(message.values.items()):
        if name in ("doc_string", "g", "graphs", "metadata_props") or (only and name not in only):
            continue
        for value in values:
            if isinstance(value, Message):
                parts.append(f"{name}={_plain(value)}")
            elif isinstance(value, Span):
                parts.append(f"{name}={hashlib.sha256(message.content[value.start : value.end]).hexdigest()}")
            else:
                parts.append(f"{name}={value}")
    return _hash(*parts)


def _label(source: tuple[Node, int] | Constant | str) -> str:
    if isinstance(source, tuple):
        return _hash(source[0].above, source[1])
    return source.kind if isinstance(source, Constant) else source


def _label_below(nodes: Iterable[Node]) -> None:
    """Nodes stand in order of execution; a reader's label is known before its makers'."""
    for node in reversed(list(nodes)):
        kinds = [_label(source) if not isinstance(source, tuple) else "" for source in node.inputs]
        node.below = _hash(node.what, kinds, sorted(node.readers))
        for i, source in enumerate(node.inputs):
            if isinstance(source, tuple):
                source[0].readers.append(_hash(node.below, i, source[1]))


def _label_neighbours(nodes: list[Node]) -> None:
    kinds = [[_label(s) if not isinstance(s, tuple) else "" for s in node.inputs] for node in nodes]
    labels = {id(node): _hash(node.what, kind) for node, kind in zip(nodes, kinds, strict=True)}
    for _ in range(_ROUNDS):
        near: dict[int, Counter[str]] = {id(node): Counter() for node in nodes}
        for node in nodes:
            for i, source in enumerate(node.inputs):
                if isinstance(source, tuple):
                    near[id(node)][f"{i} {labels[id(source[0])]}"] += 1
                    near[id(source[0])][f"to {i} {labels[id(node)]}"] += 1
        labels = {id(node): _hash(labels[id(node)], sorted(near[id(node)].items())) for node in nodes}
    for node in nodes:
        node.local = labels[id(node)]


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
