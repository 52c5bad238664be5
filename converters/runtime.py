"""onnxruntime: the judge, which runs the file as its user would."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answers import Answer, scores_of
from .errors import ModelError, OnnxrayError
from .facts import TensorSpec, shown
from .messages import one_line

# It would write a device id and a database into the home folder and look up a telemetry host.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    import onnxruntime
    from onnxruntime import InferenceSession, SessionOptions
except ImportError as error:
    raise OnnxrayError(
        f"onnxruntime cannot be imported ({one_line(error)}); onnxruntime and onnxruntime-gpu share one folder: "
        "where both were installed, uninstall both, then install one"
    ) from error

__all__ = ["OpenSession", "Session", "answers", "cast", "open_session", "raw_outputs"]

_NUMBERS = re.compile(r"tensor\((float|float16|double|bool|u?int\d+)\)")  # onnxruntime's names of types
_UNREGISTERED = re.compile(r"Fatal error: ([^\s:]*):(\w+)\(-?\d+\) is not a registered function/op")
_FATAL = 4  # severity: errors arrive as exceptions, and warnings about foreign exporters are no news to our user
_CHUNK_ELEMENTS = 2**24  # input elements per call where the batch axis is free: 64 MiB of float32
_CHUNK_ROWS = 256

onnxruntime.set_default_logger_severity(_FATAL)


class Session:
    """An ONNX message ready to run.

    Attributes:
        provider: onnxruntime's execution provider, "CUDAExecutionProvider" only where a device is really usable.
    """

    def __init__(
        self,
        content: bytes,
        spec: TensorSpec,
        answer: Answer,
        file: str,
        threads: int = 0,
        classes: int = 0,
        optimise: bool = True,
    ) -> None:
        """Start onnxruntime.

        Args:
            content: a serialised ModelProto without external data.
            spec: its input.
            answer: its output with the scores.
            file: for messages.
            threads: per operator; 0 takes OMP_NUM_THREADS, or else every core that this process may use.
            classes: how many scores a row has to have; 0 if that is not known.
            optimise: whether onnxruntime may optimise the graph, as it does for its users.

        Raises:
            ModelError: onnxruntime refuses the model.
        """
        self._spec, self._answer, self._file, self._classes = spec, answer, file, classes
        self._only_one = self._tried = False
        self._session = _start(content, file, threads, optimise)
        self._unread = {i.name: _filling(i, file) for i in self._session.get_inputs() if i.name != spec.name}
        self.provider: str = self._session.get_providers()[0]

    def run(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores (N, K) of inputs (N, ...), in the model's own layout and range.

        Raises:
            ModelError: the inputs do not fit the model, or onnxruntime fails on them.
        """
        self._require_fitting(inputs)
        fixed = self.find_batch(inputs)
        size = fixed or max(1, min(_CHUNK_ROWS, _CHUNK_ELEMENTS // max(1, inputs[:1].size)))
        chunks = [self._scores(inputs[i : i + size], fixed) for i in range(0, len(inputs), size)]
        return np.concatenate(chunks) if chunks else np.zeros((0, self._classes), np.float32)

    def find_batch(self, inputs: NDArray[Any]) -> int | None:
        """Return the only batch size that the model takes, None if it takes any.

        Some files declare a free batch axis which a Reshape inside fixes to one: the first inputs (N, ...) tell.

        Raises:
            ModelError: onnxruntime fails on a single one, too.
        """
        if not self._tried and self._spec.shape[0] is None and len(inputs) > 1:
            try:
                self._outputs(inputs[:2])
            except ModelError:
                self._outputs(inputs[:1])
                self._only_one = True
            self._tried = True
        return 1 if self._only_one else self._spec.shape[0]

    def output_shape(self) -> tuple[int, ...]:
        """Run one zero input and return the shape of the output; free axes of the input are tried at 32, then 224.

        Raises:
            ModelError: onnxruntime fails on both.
        """
        fixed, *rest = self._spec.shape
        shapes = [(fixed or 1, *(size or free for size in rest)) for free in (32, 224)]
        try:
            return self._outputs(np.zeros(shapes[0])).shape
        except ModelError:
            return self._outputs(np.zeros(shapes[1])).shape

    def _scores(self, batch: NDArray[Any], fixed: int | None) -> NDArray[np.float32]:
        rows = len(batch)
        if fixed and rows < fixed:  # repeat the last row to fill the batch; its extra scores are dropped
            batch = np.concatenate([batch, np.repeat(batch[-1:], fixed - rows, axis=0)])
        scores = self._outputs(batch)
        if scores.shape[:1] != batch.shape[:1]:
            raise ModelError(f"{self._file}: expected {len(batch)} rows of scores, got shape {shown(scores.shape)}")
        scores = scores[:rows].reshape(rows, -1).astype(np.float32, copy=False)
        if self._classes and scores.shape[1] != self._classes:
            raise ModelError(f"{self._file}: expected {self._classes} scores a row, got {scores.shape[1]}")
        return scores

    def _outputs(self, batch: NDArray[Any]) -> NDArray[Any]:
        """One call; the batch is cast to the input's dtype, the output is read as scores."""
        feed = {self._spec.name: np.ascontiguousarray(cast(batch, self._spec.dtype))}
        feed |= {name: np.zeros([size or len(batch) for size in s.shape], s.dtype) for name, s in self._unread.items()}
        try:
            values = self._session.run([self._answer.spec.name], feed)[0]
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
            raise ModelError(
                f"{self._file}: onnxruntime fails on an input of shape {shown(batch.shape)}: {one_line(error)}"
            ) from None
        return scores_of(values, self._answer, self._classes)

    def _require_fitting(self, inputs: NDArray[Any]) -> None:
        expected = (None, *self._spec.shape[1:])
        fits = inputs.ndim == len(expected) and all(e in (None, g) for e, g in zip(expected, inputs.shape, strict=True))
        if not fits:
            raise ModelError(f"{self._file}: expected inputs of shape {shown(expected)}, got {shown(inputs.shape)}")


def cast(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Cast to an input's dtype; to integers by rounding and clipping to their range, never by wrapping."""
    target = np.dtype(dtype)
    if target.kind not in "iu" or values.dtype == target:
        return values.astype(target, copy=False)
    limits = np.iinfo(target)
    low, high = max(limits.min, -(2**53)), min(limits.max, 2**53)  # float64 holds no larger integer exactly
    return np.clip(np.rint(values.astype(np.float64)), low, high).astype(target)


def raw_outputs(content: bytes, inputs: NDArray[Any], names: Sequence[str]) -> dict[str, Any]:
    """Return named outputs of a model with one input, as onnxruntime gives them, without its graph optimisations.

    Raises:
        ModelError: onnxruntime refuses the model, or fails on the inputs.
    """
    session = _start(content, "model", optimise=False)
    try:
        values = session.run(list(names), {session.get_inputs()[0].name: inputs})
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
        raise ModelError(f"onnxruntime fails: {one_line(error)}") from None
    return dict(zip(names, values, strict=True))


def answers(content: bytes, feeds: Mapping[str, NDArray[Any]]) -> list[Any]:
    """Return all outputs of a model with any number of inputs.

    Raises:
        ModelError: onnxruntime refuses the model, or fails on the inputs.
    """
    session = _start(content, "model")
    try:
        return list(session.run(None, dict(feeds)))
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
        raise ModelError(f"onnxruntime fails on random inputs: {one_line(error)}") from None


class OpenSession:
    """An ONNX message ready to give any of its outputs."""

    def __init__(self, content: bytes, file: str) -> None:
        """Start onnxruntime without its graph optimisations, which may merge what is asked for; see `open_session`."""
        self._session, self._file = _start(content, file, optimise=False), file

    def values(self, names: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Return named outputs.

        Raises:
            ModelError: onnxruntime fails on the inputs.
        """
        wanted = {value.name for value in self._session.get_inputs()}
        fed = {name: values for name, values in feeds.items() if name in wanted}
        try:
            values = self._session.run(list(names), fed)
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
            raise ModelError(f"{self._file}: onnxruntime fails: {one_line(error)}") from None
        return dict(zip(names, values, strict=True))


def open_session(content: bytes, file: str) -> OpenSession:
    """Start onnxruntime on a serialised ModelProto without external data.

    Raises:
        ModelError: onnxruntime refuses it.
    """
    return OpenSession(content, file)


def _start(content: bytes, file: str, threads: int = 0, optimise: bool = True) -> InferenceSession:
    options = SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = threads or _default_threads()
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return InferenceSession(content, options, providers=_providers(), enable_fallback=0)
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
        raise ModelError(f"{file}: onnxruntime cannot load it: {_load_failure(error)}") from None


def _load_failure(error: Exception) -> str:
    """Its reason in one line; for a custom operator, which and what to do."""
    unknown = _UNREGISTERED.search(str(error))
    if unknown is None or unknown[1] in ("", "ai.onnx"):
        return one_line(error)
    return (
        f"it has no operator {one_line(unknown[2])} of the domain {one_line(unknown[1])}, and libraries of custom "
        "operators are never loaded; export the model with ONNX's own operators, or with that one as a local function"
    )


def _filling(value: onnxruntime.NodeArg, file: str) -> TensorSpec:
    """What onnxruntime wants for an input that the scores do not depend on; a free first axis is the batch.

    Raises:
        ModelError: its shape is not fixed, or it holds no numbers.
    """
    kind = _NUMBERS.fullmatch(value.type)
    sizes = tuple(size if isinstance(size, int) and size > 0 else None for size in value.shape)
    if kind is None or None in sizes[1:]:
        raise ModelError(
            f"{file}: onnxruntime wants a value for the input {one_line(value.name)!r} ({value.type}, shape "
            f"{shown(sizes)}), which the scores do not depend on; export the model without it"
        )
    return TensorSpec(value.name, sizes, {"float": "float32", "double": "float64"}.get(kind[1], kind[1]))


def _default_threads() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit():
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _providers() -> list[str | tuple[str, dict[str, str]]]:
    """CPU, and before it CUDA where that is usable; without TF32, whose error would drown the twin's."""
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers() or not _cuda_devices():
        return ["CPUExecutionProvider"]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
        onnxruntime.preload_dlls()
    return [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]


@functools.cache
def _cuda_devices() -> int:
    """Devices that the CUDA driver offers: without one, asking onnxruntime for CUDA prints errors and falls back."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    usable = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if usable else 0
