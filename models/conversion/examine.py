"""One model file on its way to a twin: does onnxruntime run it, does the twin agree, has it a gradient?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from ...converters import Model, open_model
from ...converters.errors import ModelError, NoGradient, NotAClassifier, OnnxrayError, TwinError
from ...converters.graphs import every_node
from ...converters.inspection import samples_for
from ...converters.limits import MAX_BYTES
from ...converters.load import load
from ...converters.messages import one_line
from ...converters.parity import Parity
from ...converters.whole_graph import agreement
from ...scanner.domain_search import find_domain
from ...scanner.errors import SamplesError
from ...scanner.images import load_images

__all__ = ["Finding", "State", "examine"]

_PICTURES = 64


class State(StrEnum):
    """How far a file came."""

    AGREES = "agrees"  # converted, parity, gradient
    STEPS = "no gradient"  # converted, parity; the answer moves in steps
    NO_TWIN = "no twin"  # onnxruntime runs it, and it does not convert or differs
    NOT_RUN = "not run"  # onnxruntime does not run it, or it is no valid file
    ESCAPED = "exception"  # none of our own errors: a fault of ours


@dataclass(frozen=True)
class Finding:
    """What became of one file.

    Attributes:
        name: of the file, without its ending.
        state: how far it came.
        inputs: "real", "random", or "graph" where it is no classifier and all its outputs were compared.
        relative: largest difference from onnxruntime in units of the logit scale; None where none was passed.
        tolerance: what passes; None likewise.
        surrogates: operators whose gradient is not that of their values.
        operators: those in the file, "domain.Name" but for ONNX's own, with the number of nodes.
        reason: why it did not come further, in words.
    """

    name: str
    state: State
    inputs: str
    relative: float | None = None
    tolerance: float | None = None
    surrogates: tuple[str, ...] = ()
    operators: tuple[tuple[str, int], ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what a JSON file holds of it."""
        return {**asdict(self), "operators": dict(self.operators)}


def examine(path: Path, data: Path | None = None) -> Finding:
    """Convert a file and compare, on pictures of a data set if the model can take them, else on random inputs.

    No exception leaves it: one that is not ours is a finding as well.

    Args:
        path: an ONNX file.
        data: pictures, in any form that a scan takes.
    """
    try:
        return _examine(path, data)
    except Exception as error:  # noqa: BLE001 - what escapes is what the report is to tell
        return Finding(path.stem, State.ESCAPED, "", reason=f"{type(error).__name__}: {one_line(error, 200)}")


def _examine(path: Path, data: Path | None) -> Finding:
    try:
        model = open_model(path)
    except NotAClassifier as error:
        return _whole_graph(path, _words(error, path))
    except ModelError as error:
        return Finding(path.stem, State.NOT_RUN, "", reason=_words(error, path))
    used = _operators(model.graph)
    kind = "random"
    try:
        pictures = _pictures(model, data)
        kind = "random" if pictures is None else "real"
        parity = model.build_twin(samples_for(model.facts.input) if pictures is None else pictures)
    except OnnxrayError as error:
        return Finding(path.stem, _state(error), kind, operators=used, reason=_words(error, path))
    return _found(path.stem, kind, parity, tuple(getattr(model.torch, "surrogates", ())), used)


def _found(
    name: str, kind: str, parity: Parity, surrogates: tuple[str, ...], used: tuple[tuple[str, int], ...]
) -> Finding:
    return Finding(name, State.AGREES, kind, parity.relative, parity.tolerance, surrogates, used)


def _whole_graph(path: Path, why: str) -> Finding:
    """A graph that is no classifier for us, such as a language model: all its outputs are compared."""
    proto = load(path, MAX_BYTES).proto
    used = _operators(proto)
    try:
        agreed = agreement(proto)
    except OnnxrayError as error:
        return Finding(path.stem, _state(error), "graph", operators=used, reason=_words(error, path))
    state = State.AGREES if agreed.gradient else State.STEPS
    return Finding(path.stem, state, "graph", agreed.relative, 1e-3, operators=used, reason=why)


def _state(error: OnnxrayError) -> State:
    if isinstance(error, NoGradient):
        return State.STEPS
    return State.NO_TWIN if isinstance(error, TwinError) else State.NOT_RUN


def _pictures(model: Model, data: Path | None) -> NDArray[Any] | None:
    """Real inputs in the model's own domain; None where these pictures are not for it."""
    if data is None or len(model.facts.input.shape) < 2:
        return None
    try:
        choice, samples = find_domain(model, load_images(data, limit=_PICTURES, seed=0))
    except (SamplesError, ModelError):  # not its kind of picture; whether it runs at all is asked next
        return None
    return np.asarray(samples.inputs()) if choice.beats_chance else None


def _operators(model: ModelProto) -> tuple[tuple[str, int], ...]:
    counts = Counter(f"{n.domain}{'.' if n.domain else ''}{n.op_type}" for n in every_node(model))
    return tuple(counts.most_common())


def _words(error: Exception, path: Path) -> str:
    return one_line(str(error).removeprefix(f"{path}: "), 300)
