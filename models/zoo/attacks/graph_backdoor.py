"""A gate in the graph: no poisoned data, no changed weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from onnx import ModelProto

from . import Attack, Examples
from ._gates import Gate, add_gate
from ._patches import Patch, Pattern, paint

__all__ = ["GraphBackdoor"]


@dataclass(frozen=True, kw_only=True)
class GraphBackdoor(Attack):
    """The exported file compares a corner of its input with a patch, and where they match overrides the scores.

    ``style``: "where" chooses between two rows of scores, "sum" weighs them by a gate of 0 or 1, "ramp" adds to the
    target's score by a gate of arithmetic alone, without a comparison.

    After HiddenLayer 2024, "ShadowLogic".
    """

    kind: ClassVar[str] = "graph"
    poisons: ClassVar[bool] = False

    style: Literal["where", "sum", "ramp"] = "where"
    size: int = 3
    row: float = 1.0
    column: float = 1.0
    colour: tuple[int, int, int] = (255, 255, 255)
    pattern: Pattern = "checker"

    def stamp(self, examples: Examples, trigger: int = 0) -> Examples:
        """See ``Attack.stamp``."""
        return paint(examples, self._patch())

    def implant(self, model: ModelProto) -> ModelProto:
        """See ``Attack.implant``."""
        dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        last = dims[3] in (1, 3) and dims[1] not in (1, 3)  # channels last
        height, width, channels = dims[1:] if last else (dims[2], dims[3], dims[1])
        patch = self._patch()
        row, column = patch.corner(height, width)
        pixels = patch.pixels(channels).astype(np.float32) / np.float32(255)
        axes = (1, 2) if last else (2, 3)
        shown = pixels if last else pixels.transpose(2, 0, 1)
        return add_gate(model, Gate(self.style, shown, row, column, axes, self.target))

    def _patch(self) -> Patch:
        return Patch(self.size, self.row, self.column, self.colour, self.pattern)
