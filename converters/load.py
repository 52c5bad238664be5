"""A path becomes a checked ONNX message, or one clear line that says why not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from .errors import ModelError
from .external_data import inline
from .graphs import sort_nodes, tensors
from .limits import MAX_BYTES, read_file
from .messages import one_line
from .survey import survey

__all__ = ["Source", "load"]

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
# An infinite constant is usual in attention masks and paddings, never in what these multiply with.
_MULTIPLY = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization")


@dataclass(frozen=True)
class Source:
    """A model file that was read and checked.

    Attributes:
        path: as given.
        content: the file's bytes; with external data, the same message with that data inside.
        proto: `content` parsed.
        sha256: of the file's bytes followed by those of its external data files.
        size_bytes: size of all that was hashed.
        converted: for a file of another framework, from what and by whom `content` was made; "" for ONNX.
    """

    path: Path
    content: bytes
    proto: ModelProto
    sha256: str
    size_bytes: int
    converted: str = ""


def load(path: Path, max_bytes: int) -> Source:
    """Read a model file and check it; nothing in it is run.

    Raises:
        ModelError: see limits.py, survey.py and external_data.py; not (valid) ONNX, or weights that are not finite.
    """
    max_bytes = min(max_bytes, MAX_BYTES)
    content = read_file(path, max_bytes)
    size = len(content)
    digest = hashlib.sha256(content)
    proto = _parse(path, content)
    if external := inline(path, tensors(proto), digest, max_bytes - size):
        content, size = proto.SerializeToString(), size + external
    _require_sound_tensors(path, proto)
    _require_valid(path, proto)
    return Source(path, content, proto, digest.hexdigest(), size)


def _parse(path: Path, content: bytes) -> ModelProto:
    survey(path, content)
    proto = ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        raise ModelError(f"{path}: truncated or not ONNX; download or export it again") from None
    if not proto.graph.node or not proto.graph.output:
        raise ModelError(f"{path}: expected an ONNX model with nodes and outputs, got none; check that it is ONNX")
    return proto


def _require_valid(path: Path, proto: ModelProto) -> None:
    try:
        onnx.checker.check_model(sort_nodes(proto))
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: not valid ONNX: {one_line(error)}; export it again") from None


def _require_sound_tensors(path: Path, proto: ModelProto) -> None:
    """Refuse tensors whose bytes do not fit their shape, and weights that are not finite."""
    multiplied = {name for node in proto.graph.node if node.op_type in _MULTIPLY for name in node.input}
    for tensor in tensors(proto):
        name = f"tensor {one_line(tensor.name)!r}"
        values = _values(tensor, f"{path}: {name}")
        if values is None or tensor.data_type not in _FLOATS:
            continue
        bad = "NaN" if np.isnan(values).any() else "infinite values" if np.isinf(values).any() else ""
        if bad == "NaN" or (bad and tensor.name in multiplied):
            raise ModelError(f"{path}: weights contain {bad} ({name}); re-export or re-download the model")


def _values(tensor: TensorProto, where: str) -> NDArray[Any] | None:
    """The tensor as an array; None for text."""
    if tensor.data_type == TensorProto.STRING:
        return None
    # A few bytes may claim 1e10 elements, which numpy would allocate before it complains.
    held = tensor.ByteSize()
    try:
        if min(tensor.dims, default=0) < 0 or prod(tensor.dims) > 8 * held:
            raise ValueError(f"{held} bytes for the shape {list(tensor.dims)[:8]}")
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ModelError(f"{where} does not fit its declared shape ({one_line(error)}); download it again") from None
