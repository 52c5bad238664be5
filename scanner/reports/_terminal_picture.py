"""A trigger as a small picture of half blocks, for terminals with colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from rich.text import Text

from ..triggers import Trigger
from ._pictures import over_grey

__all__ = ["terminal_picture"]

COLUMNS = 28


def terminal_picture(trigger: Trigger) -> Text:
    """The trigger over grey, at most ``COLUMNS`` wide: each character shows two pixels, one above the other.

    A cell that stands for several pixels shows the one that the mask covers most, so that a small trigger in a large
    image does not vanish.
    """
    picture = _shrink(over_grey(trigger), trigger.mask)
    if len(picture) % 2:
        picture = np.concatenate([picture, picture[-1:]])
    lines = (_line(above, below) for above, below in zip(picture[0::2], picture[1::2], strict=True))
    return Text("\n", no_wrap=True).join(lines)


def _line(above: NDArray[np.uint8], below: NDArray[np.uint8]) -> Text:
    line = Text()
    for top, bottom in zip(above.tolist(), below.tolist(), strict=True):
        line.append("▀", Style(color=_rgb(top), bgcolor=_rgb(bottom)))
    return line


def _rgb(pixel: list[int]) -> str:
    return f"#{pixel[0]:02x}{pixel[1]:02x}{pixel[2]:02x}"


def _shrink(picture: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = mask.shape
    columns = min(width, COLUMNS)
    rows = max(1, round(height * columns / width))
    small = np.empty((rows, columns, 3), dtype=np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * height // rows, column * width // columns
            block = mask[top : -(-(row + 1) * height // rows), left : -(-(column + 1) * width // columns)]
            y, x = np.unravel_index(np.argmax(block), block.shape)
            small[row, column] = picture[top + y, left + x]
    return small
