"""Operators that add or cut elements at the borders."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Ints, Number, ints, number, operator

_NATIVE = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@operator("Pad", since=1)
def pad_paddings(x: Tensor, *, paddings: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """The input with so many elements added before and after each axis; fewer where negative."""
    return pad(x, paddings, value, mode=mode)


@operator("Pad", since=2)
def pad_attributes(x: Tensor, *, pads: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """The input with so many elements added before and after each axis; fewer where negative."""
    return pad(x, pads, value, mode=mode)


@operator("Pad", since=11)
def pad(
    x: Tensor, pads: Ints, value: Number | None = None, axes: Ints | None = None, *, mode: str = "constant"
) -> Tensor:
    """The input with a constant or its own values added before and after each axis; fewer elements where negative."""
    amounts = ints(pads)
    along = list(range(x.ndim)) if axes is None else ints(axes)
    borders = {a % x.ndim: (amounts[i], amounts[i + len(along)]) for i, a in enumerate(along)}
    if mode == "constant":
        return F.pad(x, _from_last(borders, x.ndim), value=0 if value is None else number(value))
    borders = {axis: border for axis, border in borders.items() if border != (0, 0)}
    if _native(x, borders, mode):
        width = 2 * (x.ndim - 2)
        return F.pad(x, _from_last(borders, x.ndim)[:width], mode=_NATIVE[mode])
    for axis, (before, after) in borders.items():
        x = x.index_select(axis, _sources(x.shape[axis], before, after, mode).to(x.device))
    return x


def _from_last(borders: dict[int, tuple[int, int]], rank: int) -> list[int]:
    """Borders as torch wants them: last axis first."""
    return [amount for axis in reversed(range(rank)) for amount in borders.get(axis, (0, 0))]


def _native(x: Tensor, borders: dict[int, tuple[int, int]], mode: str) -> bool:
    """Whether torch pads so itself: an image's own axes, by less than their size."""
    return (
        x.ndim == 4
        and x.is_floating_point()
        and min(borders, default=0) >= 2
        and all(0 <= amount < x.shape[axis] for axis, border in borders.items() for amount in border)
    )


def _sources(size: int, before: int, after: int, mode: str) -> Tensor:
    """Where each element along an axis comes from; a negative border is cut off before the other one is filled."""
    cut, kept = max(-before, 0), size + min(before, 0) + min(after, 0)
    places = torch.arange(-max(before, 0), kept + max(after, 0))
    if mode == "edge":
        return places.clamp(0, kept - 1) + cut
    if mode == "wrap":
        return places % kept + cut
    if mode != "reflect":
        raise NotImplementedError(f"padding mode {mode!r}")
    period = max(2 * (kept - 1), 1)
    return (kept - 1) - ((places % period) - (kept - 1)).abs() + cut


@operator("CenterCropPad", since=18)
def center_crop_pad(x: Tensor, shape: Ints, *, axes: Sequence[int] | None = None) -> Tensor:
    """The middle of the input in another shape, with zeros around it where it is too small."""
    along = range(x.ndim) if axes is None else axes
    missing = {a % x.ndim: size - x.shape[a] for a, size in zip(along, ints(shape), strict=True)}
    return F.pad(x, _from_last({axis: (int(m / 2), m - int(m / 2)) for axis, m in missing.items()}, x.ndim))


@operator("Col2Im", since=18)
def col2im(
    x: Tensor,
    image_shape: Ints,
    block_shape: Ints,
    *,
    dilations: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """The image whose overlapping blocks are the columns: their elements are summed at each pixel."""
    image, block = ints(image_shape), ints(block_shape)
    rank = len(image)
    dilation, stride, border = dilations or [1] * rank, strides or [1] * rank, pads or [0] * (2 * rank)
    sizes = [image[i] + border[i] + border[rank + i] for i in range(rank)]
    place = torch.zeros(1, 1, dtype=torch.int64)  # flat index of each (element of a block, block)
    for size, length, gap, step in zip(sizes, block, dilation, stride, strict=True):
        blocks = (size - gap * (length - 1) - 1) // step + 1
        along = torch.arange(length).unsqueeze(1) * gap + torch.arange(blocks) * step
        place = place[:, None, :, None] * size + along[None, :, None, :]
        place = place.reshape(place.shape[0] * length, -1)
    channels = x.shape[1] // place.shape[0]
    flat = x.new_zeros(x.shape[0] * channels, torch.Size(sizes).numel())
    flat = flat.index_add(1, place.reshape(-1).to(x.device), x.reshape(flat.shape[0], place.numel()))
    full = flat.reshape(x.shape[0], channels, *sizes)
    inside = tuple(slice(border[i], border[i] + image[i]) for i in range(rank))
    return full[(slice(None), slice(None), *inside)]
