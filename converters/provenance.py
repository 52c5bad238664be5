"""Where a constant of the twin comes from: an initializer of the file, and the steps that were folded on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnx import NodeProto
from torch import Tensor

from .invertible import Step, step_of

__all__ = ["Constant", "Origin", "fold_origin", "folded"]

_OWN = ("", "ai.onnx")
_SAME = (("com.microsoft", "DequantizeLinear"), ("com.microsoft", "QuantizeLinear"))  # as ONNX's own
_OF_SHAPES = ("Shape", "Size")  # their values do not depend on those of the weight


@dataclass(frozen=True)
class Origin:
    """A named tensor of the file, and the way from it to the value that the twin holds.

    Attributes:
        initializer: its name.
        steps: what was folded, first step first.
    """

    initializer: str
    steps: tuple[Step, ...] = ()

    def restore(self, value: Tensor) -> Tensor:
        """Return the initializer that gives this value, in float64 on the CPU, neither rounded nor clipped."""
        value = value.detach().cpu().double()
        for step in reversed(self.steps):
            value = step.inverse(value)
        return value

    def derive(self, initializer: Tensor) -> Tensor:
        """Return the value that the twin holds for an initializer, in float64 on the CPU."""
        value = initializer.detach().cpu().double()
        for step in self.steps:
            value = step.forward(value)
        return value


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that the graph knows.

    Attributes:
        tensor: the value.
        origin: None where it is no initializer's, or cannot be undone.
        made_of: names of all initializers that went into it, be it as weight, scale or index.
    """

    tensor: Tensor
    origin: Origin | None = None
    made_of: frozenset[str] = frozenset()

    @property
    def entangled(self) -> frozenset[str]:
        """The initializers that it is made of in a way that cannot be undone."""
        return self.made_of - {self.origin.initializer} if self.origin else self.made_of


def folded(node: NodeProto, inputs: Sequence[Constant | None], value: Tensor) -> Constant:
    """The constant that a node made of constants."""
    origin = fold_origin(node, inputs, value)
    if node.op_type in _OF_SHAPES:
        return Constant(value)
    made_of = [c.made_of | ({c.origin.initializer} if c.origin else set()) for c in inputs if c is not None]
    return Constant(value, origin, frozenset[str]().union(*made_of))


def fold_origin(node: NodeProto, inputs: Sequence[Constant | None], value: Tensor) -> Origin | None:
    """The origin of a value that a node made of constants; None where the step cannot be undone.

    A value made of several initializers is that of the largest, the weight; the others (scale, zero point, factor) are
    taken as given. Concat gives None: it holds several weights and would need several origins.
    """
    if node.op_type == "Constant" and any(attribute.name == "value" for attribute in node.attribute):
        return Origin(node.output[0])
    weight = _weight(inputs)
    if weight is None or not (node.domain in _OWN or (node.domain, node.op_type) in _SAME):
        return None
    position, origin = weight
    tensors = [None if constant is None else constant.tensor for constant in inputs]
    step = step_of(node, tensors, position, value)
    return None if step is None else Origin(origin.initializer, (*origin.steps, step))


def _weight(inputs: Sequence[Constant | None]) -> tuple[int, Origin] | None:
    """Position and origin of the largest input that has one; None if a second one is made of the same weight."""
    known = [(c.tensor.numel(), -i, c.origin) for i, c in enumerate(inputs) if c is not None and c.origin]
    if not known:
        return None
    _, position, origin = max(known, key=lambda entry: entry[:2])
    twice = sum(other.initializer == origin.initializer for _, _, other in known) > 1
    return None if twice else (-position, origin)
