"""onnxruntime: the judge, which runs the file as its user would."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

__all__ = ["Session", "cast"]

_FATAL = 4  # severity: errors arrive as exceptions, and warnings about foreign exporters are no news to our user
_CHUNK_ELEMENTS = 2**24  # input elements per call where the batch axis is free: 64 MiB of float32
_CHUNK_ROWS = 256

onnxruntime.set_default_logger_severity(_FATAL)


class Session:
    """An ONNX message ready to run.

    Attributes:
        provider: onnxruntime's execution provider, "CUDAExecutionProvider" only where a device is really usable.
    """

    def __init__(self, content: bytes, spec: TensorSpec, file: str, threads: int = 0, classes: int = 0) -> None:
        """Start onnxruntime.

        Args:
            content: a serialised ModelProto without external data.
            spec: its input.
            file: for messages.
            threads: per operator; 0 takes OMP_NUM_THREADS, or else every core that this process may use.
            classes: how many scores a row has to have; 0 if that is not known.

        Raises:
            ModelError: onnxruntime refuses the model.
        """
        self._spec, self._file, self._classes = spec, file, classes
        options = SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = threads or _default_threads()
        try:
            self._session = InferenceSession(content, options, providers=_providers(), enable_fallback=0)
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
            raise ModelError(f"{file}: onnxruntime cannot load it: {one_line(error)}") from None
        self.provider: str = self._session.get_providers()[0]

    def run(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores (N, K) of inputs (N, ...), in the model's own layout and range.

        Raises:
            ModelError: the inputs do not fit the model, or onnxruntime fails on them.
        """
        self._require_fitting(inputs)
        fixed = self._spec.shape[0]
        size = fixed or max(1, min(_CHUNK_ROWS, _CHUNK_ELEMENTS // max(1, inputs[:1].size)))
        chunks = [self._scores(inputs[i : i + size], fixed) for i in range(0, len(inputs), size)]
        return np.concatenate(chunks) if chunks else np.zeros((0, self._classes), np.float32)

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
        """One call; the batch is cast to the input's dtype, the output is as onnxruntime gives it."""
        feed = {self._spec.name: np.ascontiguousarray(cast(batch, self._spec.dtype))}
        try:
            return np.asarray(self._session.run(None, feed)[0])
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
            raise ModelError(
                f"{self._file}: onnxruntime fails on an input of shape {shown(batch.shape)}: {one_line(error)}"
            ) from None

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
