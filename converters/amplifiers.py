"""Nodes that make much out of little: sizes, repeats and trip counts that stand in the file as constants.

Eighty-five bytes can ask for half a gigabyte, and onnxruntime computes what is constant while it loads a file. What is
computed at run time, such as a size that several nodes multiply up to, is not seen here: the sandbox's limits on memory
and time hold there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, prod

from .function_calls import bodies
from .wire_message import Message
from .wire_values import Constants, constants_of, values_of

__all__ = ["Amplified", "amplified"]

_ENDLESS = (2**31 - 1, 2**63 - 1)  # the trip count of a loop that its condition ends, as exporters write it
_FOLDED = (
    "BlackmanWindow", "ConstantOfShape", "HammingWindow", "HannWindow", "RandomNormal", "RandomUniform", "Range",
)  # fmt: skip
Numbers = list[int | float]


@dataclass(frozen=True)
class Amplified:
    """What one node makes: so many elements, or so many rounds of its body.

    ``folded``: without any other input, so that onnxruntime makes them when it loads the file.
    """

    operator: str
    name: str
    elements: int = 0
    rounds: int = 0
    folded: bool = False


def amplified(scope: Message, outer: Constants, rounds: int = 1) -> Iterator[Amplified]:
    """What the nodes of a graph or function make of its constants, and those of the bodies inside.

    Args:
        outer: constants of the graphs around it.
        rounds: of the loops around it.
    """
    constants = constants_of(scope, outer)
    for node in scope.messages("node"):
        operator, turns = node.text("op_type"), rounds
        if operator in _MAKERS:
            count = _MAKERS[operator](_Node(node, constants))
            yield Amplified(operator, node.text("name"), elements=count, folded=operator in _FOLDED)
        elif operator == "Loop":
            turns = rounds * _trips(_Node(node, constants))
            yield Amplified(operator, node.text("name"), rounds=turns)
        for body in bodies(node):
            yield from amplified(body, constants, turns)


@dataclass(frozen=True)
class _Node:
    message: Message
    constants: Constants

    def input(self, index: int) -> Numbers:
        """The numbers of an input that is a small constant; [] for any other."""
        names = self.message.texts("input")
        return (values_of(self.constants.get(names[index])) or []) if index < len(names) else []

    def attribute(self, name: str) -> Numbers:
        """The numbers of an attribute; [] if it is not there."""
        for attribute in self.message.messages("attribute"):
            if attribute.text("name") == name:
                return [*attribute.integers("ints", 64), *attribute.floats("floats", 64), attribute.integer("i")]
        return []


def _trips(node: _Node) -> int:
    count = next(iter(node.input(0)), 1)
    return 1 if count in _ENDLESS else max(1, int(count))


def _product(numbers: Numbers) -> int:
    """Of what is above one: a single axis may be without elements, and the file is made for another."""
    return prod(int(n) for n in numbers if isfinite(n) and n > 1) if numbers else 0


def _range(node: _Node) -> int:
    start, limit, delta = (next(iter(node.input(i)), None) for i in range(3))
    if start is None or limit is None or not delta or not isfinite((limit - start) / delta):
        return 0
    return max(0, int((limit - start) / delta))


def _padded(node: _Node) -> int:
    return _product([1 + max(0, n) for n in node.input(1) or node.attribute("pads")])


_MAKERS: dict[str, Callable[[_Node], int]] = {
    "BlackmanWindow": lambda node: _product(node.input(0)),
    "ConstantOfShape": lambda node: _product(node.input(0)),
    "ConvTranspose": lambda node: _product(node.attribute("output_shape")),
    "DepthToSpace": lambda node: _product(node.attribute("blocksize")) ** 2,
    "Expand": lambda node: _product(node.input(1)),
    "HammingWindow": lambda node: _product(node.input(0)),
    "HannWindow": lambda node: _product(node.input(0)),
    "MaxUnpool": lambda node: _product(node.input(2)),
    "OneHot": lambda node: _product(node.input(1)),
    "Pad": _padded,
    "RandomNormal": lambda node: _product(node.attribute("shape")),
    "RandomUniform": lambda node: _product(node.attribute("shape")),
    "Range": _range,
    "Resize": lambda node: max(_product(node.input(3)), _product(node.input(2))),
    "SpaceToDepth": lambda node: _product(node.attribute("blocksize")) ** 2,
    "Tile": lambda node: _product(node.input(1)),
    "Upsample": lambda node: _product(node.input(1) or node.attribute("scales")),
}
