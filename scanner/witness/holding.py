"""A gate held silent: its signal replaced by what it is for ordinary inputs, in a copy of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...converters.edited import run_graph
from ...converters.probe import Probe, frozen
from ..dataflow import Flow
from ..errors import ModelError
from ..gates import Gate
from ..gates.hard import HardGates

if TYPE_CHECKING:
    from onnx import ModelProto

    from ...converters import Model
    from ...converters.runtime import Session

__all__ = ["Held", "hold"]

CLOSE = 1e-3  # of the largest score: what a signal that is nearly silent may move


@dataclass(frozen=True, eq=False)
class Held:
    """A copy of the model in which a gate cannot fire.

    Attributes:
        values: tensor -> the value at which it is held.
        session: the copy in onnxruntime.
        constant: whether the signal was the same for every input.
        unchanged: whether the scores of every input are the file's own to the bit.
    """

    values: Mapping[str, NDArray[Any]]
    session: Session
    constant: bool
    unchanged: bool


def hold(model: Model, graph: ModelProto, flow: Flow, gate: Gate, inputs: NDArray[Any]) -> list[Held]:
    """Every way to hold the gate that leaves the answers to these inputs (N, ...) as they are; the exact ones first."""
    scores = model.run(inputs)
    found: list[Held] = []
    for names in _places(flow, gate):
        try:
            values, constant = _usual(Probe(model, graph, names).each(inputs))
            if values is None:
                continue
            session = run_graph(model, frozen(graph, values))
            held = session.run(inputs)
        except ModelError:
            continue  # a place that cannot be watched or held, such as one inside a branch
        exact = bool((held == scores).all())
        near = np.abs(held - scores).max() <= CLOSE * np.abs(scores).max()
        if exact or ((held.argmax(1) == scores.argmax(1)).all() and near):
            found.append(Held(values, session, constant, exact))
    return sorted(found, key=lambda held: (not held.unchanged, not held.constant))


def _places(flow: Flow, gate: Gate) -> Iterator[list[str]]:
    """Sets of tensors of the main graph, each of which is the whole of the gate."""
    hard = HardGates(flow)
    first = [s for s in gate.decisions if not any(hard.outcomes[v] for v in flow.values(s))]
    decided = [write for step in first for write in step.writes]
    for tensors in (decided, list(gate.controls)):
        if tensors and all(t in flow.program.names for t in tensors):
            yield [flow.program.names[t] for t in tensors]


def _usual(seen: Sequence[Mapping[str, NDArray[Any]]]) -> tuple[dict[str, NDArray[Any]] | None, bool]:
    """What each tensor is for most inputs, and whether it is that for all; None where their shapes differ."""
    usual: dict[str, NDArray[Any]] = {}
    constant = True
    for name in seen[0]:
        values = [np.asarray(one[name]) for one in seen]
        if len({value.shape for value in values}) > 1 or values[0].dtype.kind not in "biuf" or not values[0].size:
            return None, False
        stacked = np.stack(values)
        same = bool((stacked == stacked[:1]).all())
        constant &= same
        usual[name] = values[0] if same else np.median(stacked, axis=0).astype(stacked.dtype)
    return usual, constant
