"""What a file's local functions amount to once every call is replaced by the body, which onnxruntime does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from .wire_message import Message

__all__ = ["Calls", "calls", "nodes_inside"]

Identity = tuple[str, str, str]


class Calls(NamedTuple):
    """How deep functions call one another (0: none is called), and nodes of the graph with all calls replaced."""

    depth: int
    nodes: int


def calls(root: Message) -> Calls:
    """Follow the calls of a whole file.

    Raises:
        ValueError: functions call each other in a circle; the message names one.
    """
    functions = dict[Identity, Counter[Identity]]()
    for function in root.messages("functions"):  # of two with one name, a library may take either: both count
        counts = functions.setdefault(_identity(function, function.text("name")), Counter())
        counts.update(_called(nodes_inside(function)))
    edges = {one: [other for other in counts if other in functions] for one, counts in functions.items()}
    depths, sizes = dict[Identity, int](), dict[Identity, int]()
    try:
        order = list(TopologicalSorter(edges).static_order())
    except CycleError as error:
        raise ValueError(f"the function {error.args[1][0][1]!r} calls itself") from None
    for one in order:
        depths[one] = 1 + max((depths[other] for other in edges[one]), default=0)
        sizes[one] = _expanded(functions[one], sizes)
    graph = _called(node for message in _graphs(root) for node in nodes_inside(message))
    return Calls(max((depths[one] for one in graph if one in depths), default=0), _expanded(graph, sizes))


def nodes_inside(message: Message) -> Iterator[Message]:
    """Every node of a graph or a function, those of bodies included."""
    for node in message.messages("node"):
        yield node
        for body in bodies(node):
            yield from nodes_inside(body)


def bodies(node: Message) -> Iterator[Message]:
    """The graphs that a node's attributes hold."""
    for attribute in node.messages("attribute"):
        yield from attribute.messages("g")
        yield from attribute.messages("graphs")


def _graphs(root: Message) -> Iterator[Message]:
    yield from root.messages("graph")
    for training in root.messages("training_info"):
        yield from (*training.messages("initialization"), *training.messages("algorithm"))


def _called(nodes: Iterable[Message]) -> Counter[Identity]:
    return Counter(_identity(node, node.text("op_type")) for node in nodes)


def _identity(message: Message, name: str) -> Identity:
    domain = message.text("domain")
    return ("" if domain == "ai.onnx" else domain), name, message.text("overload")


def _expanded(counts: Counter[Identity], sizes: dict[Identity, int]) -> int:
    return sum(count * sizes.get(one, 1) for one, count in counts.items())
