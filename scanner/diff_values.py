"""How far two constants are apart, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..converters.external_data import confined, read_range
from ..converters.messages import one_line
from .errors import ModelError

if TYPE_CHECKING:
    from ..converters.wire_message import Message
    from .diff_graph import Constant

__all__ = ["WeightChange", "changes"]

_INTEGERS = (6, 7, 9, 12, 13)  # int32, int64, bool, uint32, uint64: shapes, axes and indices, not weights
_TEXT = 8


@dataclass(frozen=True)
class WeightChange:
    """A constant that is not the same in both files.

    Attributes:
        name: in the second file, or in the first if the second has none.
        before, after: shapes; None where the file has no such constant.
        values: how many there are.
        differ: how many of them differ; all, where the two cannot be compared.
        largest: largest absolute difference; NaN where the two cannot be compared.
        relative: length of the difference in units of the length of the first; NaN likewise.
        where: index of the largest difference.
        structural: whole numbers, such as shapes and axes, which change what the graph does.
    """

    name: str
    before: tuple[int, ...] | None
    after: tuple[int, ...] | None
    values: int
    differ: int
    largest: float = float("nan")
    relative: float = float("nan")
    where: tuple[int, ...] = ()
    structural: bool = False

    @property
    def comparable(self) -> bool:
        """Whether both files have it, with one shape."""
        return self.before is not None and self.before == self.after


def changes(
    a: Path, b: Path, pairs: Iterable[tuple[Constant | None, Constant | None]]
) -> tuple[list[WeightChange], int]:
    """What differs, largest relative change first, and how many pairs are equal.

    Raises:
        ModelError: external data that is missing, outside its model's folder, or does not fit.
    """
    found, equal = list[WeightChange](), 0
    for one, two in pairs:
        change = _change(a, b, one, two)
        found += [change] if change else []
        equal += change is None
    found.sort(key=lambda change: -(np.inf if np.isnan(change.relative) else change.relative))
    return found, equal


def _change(a: Path, b: Path, one: Constant | None, two: Constant | None) -> WeightChange | None:
    some = two or one
    assert some is not None
    name = one_line(some.name, 100)
    before, after = (tuple(c.tensor.integers("dims", 64)) if c else None for c in (one, two))
    kinds = [c.tensor.small_integer("data_type") for c in (one, two) if c]
    structural = kinds[0] in _INTEGERS
    if one is None or two is None or before != after or kinds[0] != kinds[1]:
        size = int(np.prod(after or before or (), dtype=object))
        return WeightChange(name, before, after, size, size, structural=structural)
    x, y = _values(a, one.tensor), _values(b, two.tensor)
    differ = x != y if x.dtype.kind not in "fV" else (x != y) & ~((x != x) & (y != y))
    if not differ.any():
        return None
    if x.dtype.kind not in "fiub":
        return WeightChange(name, before, after, x.size, int(differ.sum()), structural=structural)
    gap = np.abs(y.astype(np.float64) - x.astype(np.float64))
    gap[~differ] = 0
    largest = int(np.nan_to_num(gap, nan=np.inf).argmax())
    length = float(np.linalg.norm(x.astype(np.float64)))
    where = tuple(int(i) for i in np.unravel_index(largest, x.shape)) if x.ndim else ()
    return WeightChange(
        name, before, after, x.size, int(differ.sum()), float(gap.flat[largest]),
        float(np.linalg.norm(gap)) / length if length else float("inf"), where, structural,
    )  # fmt: skip


def _values(model: Path, message: Message) -> NDArray[Any]:
    """The values of a tensor whose size the survey has held against its bytes."""
    from onnx import TensorProto, numpy_helper

    tensor = TensorProto.FromString(message.content[message.start : message.end])
    where = f"{model}: tensor {one_line(tensor.name)!r}"
    if tensor.data_location == TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        file = confined(model, entries.get("location", ""), f"{where} keeps its data elsewhere")
        try:
            start = int(entries.get("offset") or 0)
            end = start + int(entries.get("length") or file.stat().st_size - start)
            tensor.raw_data = read_range(file, start, min(end, file.stat().st_size))
        except (OSError, ValueError) as error:
            raise ModelError(f"{where}: its external data cannot be read ({one_line(error)})") from None
        tensor.ClearField("data_location")
        del tensor.external_data[:]
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{where} does not fit its declared shape ({one_line(error)})") from None
    return values.astype(np.float32) if values.dtype.kind == "V" else values
