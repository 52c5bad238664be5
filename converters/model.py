"""One file seen three ways: as a graph, as a differentiable torch module, as an onnxruntime session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError, NotAClassifier, TwinError
from .facts import ModelFacts, TensorSpec
from .limits import MAX_BYTES
from .parity import Parity, compare, random_inputs, tolerance_for

if TYPE_CHECKING:
    import os

    from onnx import ModelProto
    from torch import nn

    from .answers import Answer
    from .load import Source
    from .runtime import Session
    from .twin import Twin

__all__ = ["Model", "ModelFacts", "open_model"]

_GRADIENTS = 48  # inputs whose gradient is looked at, real ones first


@dataclass(frozen=True)
class _Options:
    max_bytes: int
    threads: int
    scores: str | None


def open_model(
    path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, threads: int = 0, scores: str | None = None
) -> Model:
    """Open an ONNX classifier, checked; neither torch nor onnxruntime is started unless its output shape is unknown.

    Args:
        path: the .onnx file, or a file of another framework that can be converted (see sources/).
        max_bytes: size limit of the file and its external data together.
        threads: onnxruntime's threads per operator; 0 takes OMP_NUM_THREADS, or else every core.
        scores: the output that holds the scores; needed where a file has several that may.

    Raises:
        ModelError: the file cannot be read, is not valid ONNX, or has weights that are not finite.
        NotAClassifier: it has several inputs, or no output with scores of two classes or more (see answers.py).
    """
    from .sources import load_source

    return Model(load_source(Path(path), max_bytes), _Options(max_bytes, threads, scores))


class Model:
    """A classifier in a file that is never modified; its identity is the sha256 of the file's bytes.

    Made by `open_model`. It pickles as (path, sha256, options): unpickling opens the file again and raises ModelError
    if it has changed.
    """

    def __init__(self, source: Source, options: _Options) -> None:
        self._source, self._options = source, options
        self.facts, self._answer = _facts(source, options)
        self._network: Twin | None = None
        self._verified = False

    @property
    def path(self) -> str:
        """The path as given to `open_model`."""
        return self.facts.path

    @property
    def classes(self) -> int:
        """K, at least 2."""
        return self.facts.classes

    @property
    def graph(self) -> ModelProto:
        """The whole message, external data inside; not to be modified."""
        return self._source.proto

    @property
    def provider(self) -> str:
        """onnxruntime's execution provider."""
        return self._session.provider

    def run(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the original file's scores (N, K) in onnxruntime, for inputs (N, ...) in the model's own domain.

        Inputs are cast to the model's dtype, for integers rounded and clipped; a fixed batch is filled up.

        Raises:
            ModelError: the inputs do not fit, or onnxruntime fails.
        """
        return self._session.run(inputs)

    def predict(self, inputs: NDArray[Any]) -> NDArray[np.int64]:
        """Return the classes (N,) that the original file names, for inputs (N, ...)."""
        classes: NDArray[np.int64] = self.run(inputs).argmax(1)
        return classes

    def build_twin(self, real_inputs: NDArray[Any], device: str = "cpu") -> Parity:
        """Convert to torch and hold the result against onnxruntime, on random inputs and on these (N, ...).

        Args:
            real_inputs: in the model's own domain; their logits are held to their own scale.
            device: where the twin is put, and compared.

        Raises:
            TwinError: it cannot be converted, or differs; with the largest difference.
        """
        from .runtime import cast
        from .to_torch import to_torch

        self._verified = False
        if self._network is None:
            batch = self._session.find_batch(real_inputs)
            self._network = to_torch(self.graph, self.path, self._answer.spec.name, batch)
        self._network.to(device)
        inputs = np.concatenate([random_inputs(self.facts.input, real_inputs.shape[1:]), real_inputs])
        inputs = cast(inputs, self.facts.input.dtype)  # the twin is shown what the file's own input can hold
        tolerance = tolerance_for(self.graph)
        runs = (self._network.scores, self._logits_session.run, self.run)
        try:
            parity = compare(self.path, *runs, inputs, tolerance, len(real_inputs), self._run_unoptimised)
        except TwinError as error:
            raise TwinError(f"{error}{self._blame(inputs, tolerance.relative)}") from None
        self._network.require_gradient(inputs[-_GRADIENTS:], self.path)
        self._verified = True
        return replace(parity, surrogates=self._network.surrogates)

    def _blame(self, inputs: NDArray[Any], tolerance: float) -> str:
        """Where the twin leaves the file, as the end of a message; "" if that cannot be told."""
        from .blame import first_difference
        from .normalize import inline_functions

        if self._network is None:
            return ""
        rows = inputs[-(self._network.batch or 1) :]  # real inputs are last
        difference = first_difference(inline_functions(self.graph), self._network, rows, tolerance)
        return f"; {difference}" if difference else ""

    @property
    def torch(self) -> nn.Module:
        """The verified twin: float input (N, ...) to logits (N, K); in evaluation mode, weights frozen.

        Raises:
            TwinError: `build_twin` has not succeeded.
        """
        if self._network is None or not self._verified:
            raise TwinError(f"{self.path}: no torch twin yet; call build_twin with real inputs first")
        return self._network

    @cached_property
    def _session(self) -> Session:
        from .runtime import Session

        return Session(
            self._source.content, self.facts.input, self._answer, self.path, self._options.threads, self.classes
        )

    @cached_property
    def _logits_session(self) -> Session:
        if not self.facts.head:
            return self._session
        return _logits_session(self._source, self.facts.input, self._answer, self._options, self.classes)

    def _run_unoptimised(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The logits of the graph as it is written, without onnxruntime's own graph optimisations."""
        session = _logits_session(
            self._source, self.facts.input, self._answer, self._options, self.classes, optimise=False
        )
        return session.run(inputs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.facts.sha256, self._options)

    def __repr__(self) -> str:
        return f"Model({self.path!r}, sha256={self.facts.sha256[:12]}…)"


def _reopen(path: str, sha256: str, options: _Options) -> Model:
    model = open_model(path, max_bytes=options.max_bytes, threads=options.threads, scores=options.scores)
    if model.facts.sha256 != sha256:
        raise ModelError(f"{path}: the file has changed since it was opened; scan it again")
    return model


def _logits_session(
    source: Source, spec: TensorSpec, answer: Answer, options: _Options, classes: int = 0, optimise: bool = True
) -> Session:
    """The file up to its logits, in onnxruntime."""
    from .answers import Answer, Reading
    from .normalize import inline_functions, strip_head
    from .runtime import Session

    stripped = strip_head(inline_functions(source.proto), answer.spec.name)
    logits = TensorSpec(stripped.graph.output[0].name, (), "float32")
    one = answer.reading in (Reading.LOGIT, Reading.PROBABILITY)
    reading = Reading.LOGIT if one else Reading.SCORES
    content = stripped.SerializeToString()
    return Session(content, spec, Answer(logits, reading), str(source.path), options.threads, classes, optimise)


def _answer(source: Source, options: _Options) -> Answer:
    """The output that answers; of a file whose input will not do either, the input is told."""
    from .answers import find_answer
    from .signature import input_spec

    try:
        return find_answer(source.proto, str(source.path), options.scores)
    except NotAClassifier:
        input_spec(source.proto.graph, str(source.path))
        raise


def _facts(source: Source, options: _Options) -> tuple[ModelFacts, Answer]:
    from .answers import Reading, find_head
    from .graphs import opset
    from .messages import one_line
    from .signature import count_classes, input_spec

    file, proto = str(source.path), source.proto
    answer = _answer(source, options)
    spec = input_spec(proto.graph, file, answer.spec.name)
    head = find_head(proto, answer.spec.name)
    two = answer.reading in (Reading.LOGIT, Reading.PROBABILITY)

    def probe() -> tuple[int, ...]:
        return _logits_session(source, spec, answer, options).output_shape()

    declared = TensorSpec("", (), "float32") if answer.reading is Reading.LABEL else answer.spec
    facts = ModelFacts(
        path=file,
        sha256=source.sha256,
        size_bytes=source.size_bytes,
        producer=one_line(f"{proto.producer_name} {proto.producer_version}"),
        opset=opset(proto),
        input=spec,
        output=answer.spec,
        classes=2 if two else count_classes(declared, file, probe),
        head=head.operators,
        converted=source.converted,
    )
    return facts, answer
