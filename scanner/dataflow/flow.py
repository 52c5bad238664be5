"""Where values come from and go to: two colours of taint, what was learned before and after each tensor, paths.

A tensor has the colour VALUE if an element of it can depend on the values of a graph input, SHAPE if it can depend on
an input's shape. ``Shape`` and ``Size`` turn the first into the second, so the usual ways to compute a target shape
(ConstantOfShape, Equal, Where, Expand) never have the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from .operators import SHAPE_ONLY, learns
from .steps import ABSENT, Program, Step, program

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

__all__ = ["SHAPE", "VALUE", "Flow"]

VALUE, SHAPE = 1, 2
FEW_ROWS = 2
SMALL = 1 << 16  # elements of a constant that is looked at
EXTERNAL = 1  # TensorProto.EXTERNAL


class Flow:
    """The facts about every tensor of a file; each is computed when it is first asked for.

    Attributes:
        program: the flat file.
        producer: tensor -> the step that gives it.
        readers: tensor -> the steps that read it.
    """

    def __init__(self, model: ModelProto) -> None:
        self.program: Program = program(model)
        self.producer: dict[int, Step] = {write: step for step in self.program.steps for write in step.writes}
        self.readers: dict[int, list[Step]] = {}
        for step in self.program.steps:
            for read in dict.fromkeys(step.reads):
                self.readers.setdefault(read, []).append(step)

    @cached_property
    def taint(self) -> list[int]:
        """The colours of each tensor, 0 for a constant."""

        def after(step: Step, taint: list[int]) -> int:
            seen = _union(taint, step.reads)
            return (SHAPE if seen else 0) if step.op in SHAPE_ONLY else seen

        return self.forward(dict.fromkeys(self.program.inputs, VALUE), after)

    @cached_property
    def layers(self) -> dict[int, tuple[int, int]]:
        """Of each step with weights, by identity: a bit of its own, and how many weights it has."""
        found: dict[int, tuple[int, int]] = {}
        for step in self.program.steps:
            if learns(step.op) and self.values(step):
                held = max((self._held(r) for r in step.reads if r != ABSENT and not self.taint[r]), default=0)
                found[id(step)] = 1 << len(found), held or _inside(step)
        return found

    def _held(self, tensor: int) -> int:
        """The size of a constant; of a matrix with one or two rows, which is as soon a pattern as a layer, none."""
        proto = self.program.constants.get(tensor)
        matrix = proto is not None and len(proto.dims) == 2
        return 0 if matrix and proto is not None and min(proto.dims) <= FEW_ROWS else self.sizes[tensor]

    @cached_property
    def cones(self) -> list[int]:
        """For each tensor the bits of the layers before it."""
        none = (0, 0)
        return self.forward({}, lambda step, cone: _union(cone, step.reads) | self.layers.get(id(step), none)[0])

    @cached_property
    def later(self) -> list[int]:
        """For each tensor the bits of the layers after it."""
        found = [0] * self.program.count
        changed = True
        while changed:
            changed = False
            for step in reversed(self.program.steps):
                bits = _union(found, step.writes) | self.layers.get(id(step), (0, 0))[0]
                for read in step.reads:
                    if read != ABSENT and found[read] | bits != found[read]:
                        found[read] |= bits
                        changed = True
        return found

    def weights(self, bits: int) -> int:
        """How many weights the layers of a set of bits have."""
        return sum(size for bit, size in self.layers.values() if bits & bit)

    def before(self, tensors: Iterable[int]) -> int:
        """The bits of all layers before these tensors."""
        return _union(self.cones, tensors)

    def values(self, step: Step) -> list[int]:
        """What a step reads that depends on an input's values, each once."""
        return [r for r in dict.fromkeys(step.reads) if r != ABSENT and self.taint[r] & VALUE]

    def forward(self, start: dict[int, int], after: Callable[[Step, list[int]], int]) -> list[int]:
        """Bits for each tensor from those that it is made of, until nothing changes; bits are only ever added."""
        found = [0] * self.program.count
        for tensor, bits in start.items():
            found[tensor] = bits
        changed = True
        while changed:
            changed = False
            for step in self.program.steps:
                bits = after(step, found)
                for write in step.writes:
                    if found[write] | bits != found[write]:
                        found[write] |= bits
                        changed = True
        return found

    def upstream(self, tensors: Iterable[int]) -> dict[int, Step]:
        """All steps that these tensors depend on, by identity."""
        found: dict[int, Step] = {}
        pending = [t for t in tensors if t != ABSENT]
        while pending:
            step = self.producer.get(pending.pop())
            if step is not None and id(step) not in found:
                found[id(step)] = step
                pending += [r for r in step.reads if r != ABSENT]
        return found

    def path(
        self, starts: Iterable[int], ends: Iterable[int], through: Callable[[Step], bool] | None = None
    ) -> list[Step]:
        """The steps of a shortest way from one of these tensors to one of those; empty if there is none."""
        goals = set(ends)
        came: dict[int, tuple[int, Step] | None] = {s: None for s in starts if s != ABSENT}
        queue = deque(came)
        while queue:
            tensor = queue.popleft()
            if tensor in goals:
                steps = []
                while (link := came[tensor]) is not None:
                    tensor, step = link
                    steps.append(step)
                return steps[::-1]
            for step in self.readers.get(tensor, ()):
                if through is None or through(step):
                    for write in step.writes:
                        if write not in came:
                            came[write] = (tensor, step)
                            queue.append(write)
        return []

    def constant(self, tensor: int) -> NDArray[np.generic[Any]] | None:
        """A small constant's elements; None for what is none, is large, or lies outside the file."""
        proto = self.program.constants.get(tensor)
        if proto is None or proto.data_location == EXTERNAL or prod(proto.dims) > SMALL:
            return None
        from onnx import numpy_helper

        try:
            return numpy_helper.to_array(proto)
        except (ValueError, TypeError, KeyError):
            return None

    def size(self, tensor: int) -> int:
        """A constant's number of elements as declared; of what is made of constants, that of the largest; else 0."""
        return self.sizes[tensor] if tensor != ABSENT else 0

    @cached_property
    def sizes(self) -> list[int]:
        """See ``size``, for every tensor."""
        sizes = [0] * self.program.count
        for tensor, proto in self.program.constants.items():
            sizes[tensor] = max(0, prod(proto.dims))
        for step in self.program.steps:
            if not _union(self.taint, step.reads):
                largest = max((sizes[r] for r in step.reads if r != ABSENT), default=0)
                shape = self.constant(step.reads[0]) if step.op == "ConstantOfShape" and step.reads else None
                if shape is not None and shape.dtype.kind in "iu":
                    largest = prod(max(0, int(n)) for n in shape.ravel())
                for write in step.writes:
                    sizes[write] = max(sizes[write], largest)
        return sizes


def _inside(step: Step) -> int:
    """Numbers that a step holds in attributes, as trees and linear models of ai.onnx.ml do; at least one."""
    return max((len(a.floats) for a in step.attributes.values()), default=0) or 1


def _union(bits: list[int], tensors: Iterable[int]) -> int:
    found = 0
    for tensor in tensors:
        if tensor != ABSENT:
            found |= bits[tensor]
    return found
