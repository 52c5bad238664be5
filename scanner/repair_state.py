"""A model on the way to being repaired: what was changed so far, and how it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import numpy_helper

from ..converters import open_model, save
from ..converters.atomic_copy import write_copy
from .findings import Evaluation
from .triggers import Trigger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..converters import Model
    from .repair_bench import Bench
    from .repairs import Repaired

__all__ = ["State", "between", "write"]


@dataclass(frozen=True, eq=False)
class State:
    """One stage.

    Attributes:
        model: opened from a file of its own.
        evaluation: on the held-out samples.
        triggers: all that are known so far, those of earlier rounds included.
        edits: every weight that differs from the original so far; of use only where no node was added.
        added: how many nodes were added.
    """

    model: Model
    evaluation: Evaluation
    triggers: tuple[Trigger, ...]
    edits: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    added: int = 0

    def apply(self, repaired: Repaired, folder: Path, bench: Bench) -> State:
        """The stage after a repair, written into a folder of its own and evaluated.

        Raises:
            OnnxrayError: it cannot be written, or onnxruntime does not take it.
        """
        folder.mkdir(parents=True)
        file = folder / "model.onnx"
        added = self.added
        if repaired.proto is None:
            save(self.model, repaired.edits, file)
        else:
            write_copy(file, repaired.proto.SerializeToString(), {}, [Path(self.model.path)])
            added += len(repaired.proto.graph.node) - len(self.model.graph.graph.node)
        model = open_model(file, scores=bench.options.scores)
        evaluation = bench.evaluate(model, list(self.triggers))
        return State(model, evaluation, self.triggers, {**self.edits, **repaired.edits}, added)

    def part_way(self, repaired: Repaired, share: float) -> Repaired:
        """The same repair gone only a share of the way, from this stage's weights to the new ones.

        Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, interpolate likewise between a
        model and its fine-tuned self, to keep what it could before.
        """
        from ..converters.edited import weight_values

        now = weight_values(self.model)
        edits = {name: between(numpy_helper.to_array(now[name]), new, share) for name, new in repaired.edits.items()}
        return replace(repaired, edits=edits, note=f"{repaired.note}; kept {share:.0%} of the way to them")

    def facing(self, found: list[Trigger], bench: Bench) -> State:
        """The same with further triggers."""
        triggers = (*self.triggers, *found)
        return replace(self, triggers=triggers, evaluation=bench.evaluate(self.model, list(triggers)))


def between(old: NDArray[Any], new: NDArray[Any], share: float) -> NDArray[Any]:
    """A share of the way from one weight to another of its kind; what is no float is taken whole."""
    if new.dtype.kind in "biu":
        return new
    wide = old.astype(np.float64)  # bfloat16, which numpy does not count among its floats, too
    return (wide + share * (new.astype(np.float64) - wide)).astype(new.dtype)


def write(original: Model, state: State, out: Path) -> dict[str, int]:
    """Write a stage as the result; what was not edited stays byte for byte, unless nodes were added.

    Returns:
        Name of every edited weight -> how many of its elements differ; empty where nodes were added.

    Raises:
        ModelError: it would overwrite the original, or cannot be written.
    """
    if not state.added:
        elements = save(original, state.edits, out).elements
        return {name: count for name, count in elements.items() if count}
    write_copy(out, state.model.graph.SerializeToString(), {}, [Path(original.path)])
    return {}
