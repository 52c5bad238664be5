"""Graph backdoors of many kinds, built without training into a small classifier, and harmless graphs that look alike.

Each backdoor really flips onnxruntime's answer to ``TARGET`` on any picture with the trigger, and changes no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ..graph_nodes import Nodes

__all__ = ["CORNER", "PATTERN", "TARGET", "Build", "Case", "Site", "stamp"]

TARGET = 7
CORNER = 24  # first row and column of the trigger
PATTERN = (np.indices((3, 3)).sum(0) % 2 == 0).astype(np.float32)  # a checkerboard of black and white


@dataclass(frozen=True)
class Site:
    """Where a gate is built in.

    Attributes:
        nodes: adds nodes.
        image: name of the input (N, 1, 28, 28) in [0, 1].
        logits: name of the network's scores (N, classes).
        features: name of what the last layer reads (N, F).
        classes: number of classes.
    """

    nodes: Nodes
    image: str
    logits: str
    features: str
    classes: int

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        """The only output of a new node."""
        return self.nodes.add(kind, *inputs, **attributes)

    def number(self, value: float) -> str:
        """A float constant of shape ()."""
        return self.nodes.constant(np.float32(value))

    def whole(self, *values: int) -> str:
        """A list of whole numbers."""
        return self.nodes.constant(np.array(values, dtype=np.int64))

    def row(self, hot: float, cold: float = 0.0) -> str:
        """Scores (1, classes): ``hot`` at the target, ``cold`` elsewhere."""
        return self.nodes.constant(self.scores(hot, cold))

    def scores(self, hot: float, cold: float = 0.0) -> NDArray[np.float32]:
        """See ``row``."""
        return np.where(np.arange(self.classes)[None] == TARGET, hot, cold).astype(np.float32)

    def corner(self) -> str:
        """The pixels (N, 9) where the trigger would be."""
        end = CORNER + len(PATTERN)
        cut = self.add("Slice", self.image, self.whole(CORNER, CORNER), self.whole(end, end), self.whole(2, 3))
        return self.add("Flatten", cut, axis=1)

    def pattern(self) -> str:
        """The trigger's pixels (1, 9)."""
        return self.nodes.constant(PATTERN.reshape(1, -1))

    def distance(self) -> str:
        """The largest difference of a pixel there from the trigger's, (N, 1)."""
        return self.nodes.largest(self.add("Abs", self.add("Sub", self.corner(), self.pattern())))

    def score(self) -> str:
        """How well the corner matches the trigger, (N, 1): 5 for the trigger itself, at most 4.9 for others."""
        signs = self.nodes.constant((2 * PATTERN - 1).reshape(-1, 1))
        return self.add("MatMul", self.corner(), signs)


Build = Callable[[Site], str]
"""Builds a gate at a site and names the scores (N, classes) that come out."""


@dataclass(frozen=True)
class Case:
    """One graph with its expected decision.

    Attributes:
        name: of the case and its file.
        backdoored: whether pictures with the trigger become ``TARGET``.
        make: from the base classifier to the model.
    """

    name: str
    backdoored: bool
    make: Callable[[ModelProto], ModelProto]


def stamp(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy of the images (N, 1, 28, 28) with the trigger on each."""
    stamped = images.copy()
    end = CORNER + len(PATTERN)
    stamped[:, :, CORNER:end, CORNER:end] = PATTERN
    return stamped
