"""Sliding windows of convolution and pooling: padding, positions and counts along each axis, by ONNX's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

__all__ = ["Windows", "automatic", "flat_pads", "paired"]

_SAME = ("SAME_UPPER", "SAME_LOWER")


def paired(pads: Sequence[int], rank: int) -> list[tuple[int, int]]:
    """ONNX's pads (all beginnings, then all ends) as a pair for each axis; zeros if there are none."""
    return list(zip(pads[:rank], pads[rank:], strict=True)) if pads else [(0, 0)] * rank


def flat_pads(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Pairs for each axis as torch's `pad` takes them: the last axis first."""
    return [side for pair in reversed(pairs) for side in pair]


def automatic(total: int, auto_pad: str) -> tuple[int, int]:
    """Split a padding over both ends; an odd one gives the end more in SAME_UPPER, the beginning in all others.

    A negative total cuts off; it is split as onnxruntime splits it, rounding to zero.
    """
    before = int((total if auto_pad == "SAME_UPPER" else total + 1) / 2)
    return before, total - before


@dataclass(frozen=True)
class Windows:
    """The windows of one operator over inputs of one size; all tuples have one entry for each spatial axis.

    Attributes:
        sizes: the input's.
        kernel: values in a window.
        strides: steps between windows.
        dilations: steps between the values in a window.
        pads: padding before and behind the input.
        counts: how many windows there are.
    """

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    counts: tuple[int, ...]

    @staticmethod
    def of(
        sizes: Sequence[int],
        kernel: Sequence[int],
        strides: Sequence[int] = (),
        dilations: Sequence[int] = (),
        pads: Sequence[int] = (),
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
        pooling: bool = False,
    ) -> Windows:
        """Read ONNX's attributes, where () stands for the default.

        Padding by SAME_UPPER and SAME_LOWER makes a window for each stride begun. With `pooling` it follows onnxruntime
        where that is not the standard: as if windows were not dilated, and negative where steps are longer than them.

        Raises:
            NotImplementedError: the attributes do not fit the input's rank, or the windows its sizes.
        """
        given = (tuple(values) for values in (sizes, kernel, strides, dilations, pads))
        return _windows(*given, auto_pad, ceil_mode, pooling)

    @cached_property
    def before(self) -> tuple[int, ...]:
        """The padding before the input."""
        return tuple(before for before, _ in self.pads)

    @cached_property
    def symmetric(self) -> bool:
        """Whether the padding is the same before and behind."""
        return all(before == after for before, after in self.pads)

    @cached_property
    def halved(self) -> bool:
        """Whether torch's own pooling has these windows: it pads both ends alike, by half a kernel at most."""
        small = all(0 <= 2 * before <= k for before, k in zip(self.before, self.kernel, strict=True))
        return small and self.symmetric and self.fits

    @cached_property
    def within(self) -> bool:
        """Whether no window is larger than the input."""
        return all(extent <= size for size, extent in zip(self.sizes, self.extents, strict=True))

    @cached_property
    def fits(self) -> bool:
        """Whether no window is larger than the padded input."""
        axes = zip(self.sizes, self.extents, self.pads, strict=True)
        return all(extent <= size + sum(pair) for size, extent, pair in axes)

    @cached_property
    def has_empty(self) -> bool:
        """Whether a window holds nothing but padding, as one can that is dilated."""
        padded = any(before or after for before, after in self.pads)
        return padded and self.extents != self.kernel and any(0 in self.inside(i, False) for i in range(len(self.pads)))

    @cached_property
    def exact(self) -> list[tuple[int, int]]:
        """Padding with which the last window ends where the input does; negative where it does not reach its end."""
        axes = zip(self.sizes, self.extents, self.strides, self.counts, self.before, strict=True)
        return [(before, (c - 1) * s + e - n - before) for n, e, s, c, before in axes]

    @cached_property
    def extents(self) -> tuple[int, ...]:
        """From the first to the last value of a window."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def inside(self, axis: int, padding: bool) -> list[int]:
        """How many values of each window along an axis lie in the input, or in the input and its padding."""
        before, after = self.pads[axis]
        low, high = (0, before + self.sizes[axis] + after) if padding else (before, before + self.sizes[axis])
        starts = (i * self.strides[axis] for i in range(self.counts[axis]))
        offsets = [k * self.dilations[axis] for k in range(self.kernel[axis])]
        return [sum(low <= start + offset < high for offset in offsets) for start in starts]


@lru_cache(maxsize=4096)  # a network asks for the same again on each pass
def _windows(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    pads: tuple[int, ...],
    auto_pad: str,
    ceil_mode: int,
    pooling: bool,
) -> Windows:
    rank = len(sizes)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    if not len(kernel) == len(strides) == len(dilations) == rank or len(pads) not in (0, 2 * rank):
        raise NotImplementedError(f"an input with {rank} spatial axes and a kernel {kernel}")
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if auto_pad in _SAME:
        spans = kernel if pooling else extents
        totals = [(-(-n // s) - 1) * s + e - n for n, s, e in zip(sizes, strides, spans, strict=True)]
        pairs = [automatic(total if pooling else max(total, 0), auto_pad) for total in totals]
    else:
        pairs = paired(() if auto_pad == "VALID" else pads, rank)
    axes = zip(sizes, extents, strides, pairs, strict=True)
    counts = tuple(_count(n, e, s, pair, ceil_mode) for n, e, s, pair in axes)
    if min(counts) < 1:
        raise NotImplementedError(f"windows {extents} that are larger than the padded input {sizes}")
    return Windows(sizes, kernel, strides, dilations, tuple(pairs), counts)


def _count(size: int, extent: int, stride: int, pads: tuple[int, int], ceil_mode: int) -> int:
    """How many windows fit; with `ceil_mode` the last may reach beyond the end, but starts before it."""
    room = size + sum(pads) - extent
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + pads[0] else count
