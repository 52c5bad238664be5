"""Which pictures a model's input shape can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .errors import UnfitSamplesError

__all__ = ["Frame", "frames"]

_SMALLEST_FLAT = 8  # a flat input of less than 8 x 8 values is a table's row, not a picture
_LARGEST = 1024  # pixels a side: 200 such pictures take 2.5 GB
_LARGEST_TAKEN = 512  # by a model that leaves its size open
Shape = Sequence[int | None]


@dataclass(frozen=True)
class Frame:
    """One reading of an input shape: the layout's name (see ``InputDomain``) and the picture's size."""

    layout: str
    channels: int
    height: int
    width: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width


def frames(
    shape: Shape, images: Sequence[NDArray[Any]], stored: tuple[int, int] | None, name: str
) -> tuple[Frame, ...]:
    """Every reading of a model's input shape (batch axis included) as pictures, most plausible first.

    Unknown sizes are taken from ``stored`` (H, W), else from the pictures: their commonest size, or, where no size up
    to 512 is shared by half of them, 224 for colour and 28 for grey.

    Raises:
        UnfitSamplesError: the shape holds no pictures; the message starts with ``name``.
    """
    size = stored or _common_size(images)
    colour = 3 if any(image.ndim == 3 for image in images) else 1
    found = tuple(
        f for f in dict.fromkeys(_read(tuple(shape), size, colour)) if 0 < min(f.size) <= max(f.size) <= _LARGEST
    )
    if not found:
        text = ", ".join("?" if d is None else str(d) for d in shape)
        raise UnfitSamplesError(
            f"{name}: its input ({text}) fits no picture; expected e.g. (N, 3, H, W), (N, H, W, 1), (N, 784). Models "
            "of tables, text or sound cannot be scanned yet; onnxray inspect tells what is in them"
        )
    return found


def _read(shape: tuple[int | None, ...], size: tuple[int, int], colour: int) -> Iterator[Frame]:
    if len(shape) == 4:
        yield from _four_axes(shape[1:], size, colour)
    elif len(shape) == 3 and shape[2] == 1 and shape[1] != 1:
        yield from _flat(shape[1], size, colour, "flat1")
    elif len(shape) == 3:
        yield _frame("NHW", 1, (shape[1], shape[2]), size)
    elif len(shape) == 2:
        yield from _flat(shape[1], size, colour, "flat")


def _four_axes(shape: tuple[int | None, ...], size: tuple[int, int], colour: int) -> Iterator[Frame]:
    first, middle, last = shape
    for channels in _channels(first, last, colour):
        yield _frame("NCHW", channels, (middle, last), size)
    for channels in _channels(last, first, colour):
        yield _frame("NHWC", channels, (first, middle), size)


def _frame(layout: str, channels: int, axes: tuple[int | None, int | None], size: tuple[int, int]) -> Frame:
    height, width = (known if axis is None else axis for axis, known in zip(axes, size, strict=True))
    return Frame(layout, channels, height, width)


def _channels(axis: int | None, other: int | None, colour: int) -> tuple[int, ...]:
    """What the channel axis may be: 1 or 3; if the file leaves it open, what the pictures have, unless the other is."""
    if axis is None:
        return () if other in (1, 3) else (colour, 4 - colour)
    return (axis,) if axis in (1, 3) else ()


def _flat(length: int | None, size: tuple[int, int], colour: int, layout: str) -> Iterator[Frame]:
    if length is None:
        length = colour * size[0] * size[1]
    for channels in (1, 3):
        side = round((length / channels) ** 0.5)
        square = (side, side) if side >= _SMALLEST_FLAT else (0, 0)
        for height, width in (size, square):
            if channels * height * width == length:
                yield Frame(layout, channels, height, width)
                if channels == 3:
                    yield Frame(f"{layout} HWC", channels, height, width)


def _common_size(images: Sequence[NDArray[Any]]) -> tuple[int, int]:
    sizes = Counter((image.shape[0], image.shape[1]) for image in images)
    size, count = sizes.most_common(1)[0]
    if 2 * count >= len(images) and max(size) <= _LARGEST_TAKEN:
        return size
    return (224, 224) if any(image.ndim == 3 for image in images) else (28, 28)
