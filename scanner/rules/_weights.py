"""The values of a tensor as they lie in the file or beside it, without copying them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...converters.external_data import read_range
from ..errors import ModelError
from ._external import Pointer

if TYPE_CHECKING:
    from ...converters.wire_message import Message
    from ..audited_file import AuditedFile

__all__ = ["bytes_of", "entropy", "is_no_weight", "nonfinite"]

_FLOATS = {1: "<u4", 10: "<u2", 11: "<u8", 16: "<u2"}
# The bits of the exponent: all set means infinite or no number.
_EXPONENTS = {1: 0x7F800000, 10: 0x7C00, 11: 0x7FF0000000000000, 16: 0x7F80}
_MANTISSAS = {1: 23, 10: 10, 11: 52, 16: 7}
_TYPED = {1: "float_data", 11: "double_data"}
_PLAIN = 0.5  # share of random bits, read as float32, that lies far outside any weight's range: about 0.8
_SAMPLE = 1 << 16


def bytes_of(file: AuditedFile, tensor: Message) -> memoryview:
    """A tensor's bytes, in the file or in its external data; none if they cannot be had."""
    if tensor.small_integer("data_location") == 1:
        entries = {m.text("key"): m.text("value") for m in tensor.messages("external_data")}
        return memoryview(_outside(Pointer(tensor, file.path, entries)))
    names = ("raw_data", _TYPED.get(tensor.small_integer("data_type"), "raw_data"))
    spans = [span for name in names for span in tensor.spans(name) if span.packed and span.end > span.start]
    return memoryview(file.content)[spans[-1].start : spans[-1].end] if spans else memoryview(b"")


def _outside(pointer: Pointer) -> bytes:
    try:
        place = pointer.file()
        span = pointer.span(place.stat().st_size)
        return read_range(place, *span) if span else b""
    except (ModelError, OSError):
        return b""  # told by external-data-outside


def nonfinite(tensor: Message, content: memoryview) -> tuple[int, int]:
    """How many values are no numbers, and how many are infinite; for types without a point (0, 0)."""
    kind = tensor.small_integer("data_type")
    if kind not in _FLOATS:
        return 0, 0
    bits = _bits(kind, content)
    full = (bits & _EXPONENTS[kind]) == _EXPONENTS[kind]
    if not full.any():
        return 0, 0
    infinite = int(((bits[full] & ((1 << _MANTISSAS[kind]) - 1)) == 0).sum())
    return int(full.sum()) - infinite, infinite


def is_no_weight(tensor: Message, content: memoryview) -> bool:
    """Whether most values are infinite, no numbers, huge or vanishing, as random bits in the type are."""
    kind = tensor.small_integer("data_type")
    if kind not in (1, 11, 16):
        return False
    bits = _bits(kind, content)[:_SAMPLE]
    exponent = ((bits & _EXPONENTS[kind]) >> _MANTISSAS[kind]).astype(np.int64)
    middle = 1023 if kind == 11 else 127
    return bool(((np.abs(exponent - middle) > 24) & (exponent > 0)).mean() > _PLAIN)


def entropy(content: memoryview) -> float:
    """Bits a byte, in [0, 8]."""
    counts = np.bincount(np.frombuffer(content, np.uint8), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _bits(kind: int, content: memoryview) -> NDArray[np.uint64]:
    dtype = np.dtype(_FLOATS[kind])
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)
