"""The norms on a GPU, as Triton programs; imported only where Triton is there.

One program reads a tile of BLOCK_C channels by BLOCK_S positions at a time, so that each element is read once, and
keeps one sum for each place of the tile until the end. Which of the two sides of the tile runs along memory is for
the compiler to see: the stride that is 1 is a constant to it.
"""

# Constants of a kernel are in capitals, and its arguments have no types that mypy knows.
# ruff: noqa: N803
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["combine_kernel", "norms_kernel"]

MAGNITUDE: tl.constexpr = tl.constexpr(0x7FFFFFFF)
NAN: tl.constexpr = tl.constexpr(0x7F800001)
NOWHERE: tl.constexpr = tl.constexpr(0x7FFFFFFFFFFFFFFF)


@triton.jit
def store_row(
    values,
    index,
    row,
    rows,
    keep,
    count,
    pilot,
    l1,
    square,
    bits,
    shift,
    spread,
    place,
    MOMENTS: tl.constexpr,
    ARGMAX: tl.constexpr,
):
    """Write the finished results of some rows."""
    out = values + row  # moved on step by step: a multiple of rows may not fit into 32 bits
    tl.store(out, l1.to(tl.float32), mask=keep)
    out += rows
    tl.store(out, tl.sqrt(square.to(tl.float32)), mask=keep)
    out += rows
    tl.store(out, bits.to(tl.float32, bitcast=True), mask=keep)
    if MOMENTS:
        off = shift / count
        variance = spread / count - off * off
        variance = tl.where(variance < 0, 0.0, variance)  # not a maximum, which would drop NaN
        out += rows
        tl.store(out, (pilot + off).to(tl.float32), mask=keep)
        out += rows
        tl.store(out, (square / count).to(tl.float32), mask=keep)
        out += rows
        tl.store(out, variance.to(tl.float32), mask=keep)
    if ARGMAX:
        tl.store(index + row, place.to(tl.int64), mask=keep)


@triton.jit
def store_part(
    values,
    index,
    row,
    rows,
    split,
    keep,
    l1,
    square,
    bits,
    shift,
    spread,
    place,
    MOMENTS: tl.constexpr,
    ARGMAX: tl.constexpr,
):
    """Write the sums of some rows over one part of their positions."""
    out = values + split.to(tl.int64) * 5 * rows + row
    tl.store(out, l1, mask=keep)
    tl.store(out + rows, square, mask=keep)
    tl.store(out + 2 * rows, bits.to(tl.float32, bitcast=True), mask=keep)
    if MOMENTS:
        tl.store(out + 3 * rows, shift, mask=keep)
        tl.store(out + 4 * rows, spread, mask=keep)
    if ARGMAX:
        tl.store(index + split.to(tl.int64) * rows + row, place, mask=keep)


@triton.jit
def offset_of(position, height, width, stride_d, stride_h, stride_w, LEVELS: tl.constexpr):
    """Where in memory a position lies, from the first of its channel."""
    if LEVELS == 1:
        return position * stride_w
    elif LEVELS == 2:
        return position // width * stride_h + position % width * stride_w
    else:
        outer = position // width
        return outer // height * stride_d + outer % height * stride_h + position % width * stride_w


@triton.jit
def pilot_of(first):
    """A pilot whose differences stay finite where the element does; zero where it is itself NaN, infinite or huge."""
    pilot = first.to(tl.float32)
    return tl.where(tl.abs(pilot) < 1e18, pilot, 0.0)


@triton.jit
def take(v, keep, position, pilot, l1, square, top, shift, spread, place, MOMENTS: tl.constexpr, ARGMAX: tl.constexpr):
    """Count one tile. Bits of |x| order like |x| and put NaN above infinity, so that their maximum keeps it."""
    bits = v.to(tl.int32, bitcast=True) & MAGNITUDE
    size = bits.to(tl.float32, bitcast=True)
    l1 += size
    square += size * size
    bits = tl.where(keep, tl.minimum(bits, NAN), -1)
    if ARGMAX:
        place = tl.where(bits > top, position[None, :], place)
    top = tl.maximum(top, bits)
    if MOMENTS:
        d = tl.where(keep, v - pilot[:, None], 0.0)
        shift += d
        spread += d * d
    return l1, square, top, shift, spread, place


@triton.jit
def norms_kernel(
    x,  # (N, C, D, H, W), any strides
    values,  # (3 or 6, N * C) float32, or with SPLIT (splits, 5, N * C): sums to be combined
    index,  # (N * C) int64, or with SPLIT (splits, N * C)
    samples,
    channels,
    rows,  # N * C
    positions,
    height,
    width,
    stride_n,
    stride_c,
    stride_d,
    stride_h,
    stride_w,
    part,  # positions for one program, a multiple of BLOCK_S
    BLOCK_C: tl.constexpr,
    BLOCK_S: tl.constexpr,
    LEVELS: tl.constexpr,  # of the positions' three axes, how many are not one
    WIDE: tl.constexpr,  # whether offsets within one channel need 64 bits
    MOMENTS: tl.constexpr,
    ARGMAX: tl.constexpr,
    SPLIT: tl.constexpr,
):
    """One (sample, BLOCK_C channels, part of the positions) a program; channels fastest, then samples, then parts."""
    program = tl.program_id(0)
    tiles = tl.cdiv(channels, BLOCK_C)
    sample = (program // tiles) % samples
    split = program // tiles // samples
    channel = program % tiles * BLOCK_C + tl.arange(0, BLOCK_C)
    there = channel < channels
    base = x + sample.to(tl.int64) * stride_n + channel.to(tl.int64) * stride_c
    pilot = pilot_of(tl.load(base, mask=there, other=0.0))

    lane = tl.arange(0, BLOCK_S)
    first = split * part
    if WIDE:
        lane, first = lane.to(tl.int64), split.to(tl.int64) * part
    last = tl.minimum(first + part, positions)
    zero = tl.zeros([BLOCK_C, BLOCK_S], tl.float32)
    l1, square, shift, spread = zero, zero, zero, zero
    top = tl.full([BLOCK_C, BLOCK_S], -1, tl.int32)
    place = tl.zeros([BLOCK_C, BLOCK_S], lane.dtype)
    for start in range(first, last, BLOCK_S):
        position = start + lane
        keep = there[:, None] & (position < last)[None, :]
        offset = offset_of(position, height, width, stride_d, stride_h, stride_w, LEVELS)
        v = tl.load(base[:, None] + offset[None, :], mask=keep, other=0.0).to(tl.float32)
        l1, square, top, shift, spread, place = take(
            v, keep, position, pilot, l1, square, top, shift, spread, place, MOMENTS, ARGMAX
        )

    most = tl.max(top, 1)
    at = tl.min(tl.where(top == most[:, None], place.to(tl.int64), NOWHERE), 1)
    row = sample.to(tl.int64) * channels + channel
    a, b, c, d = tl.sum(l1, 1), tl.sum(square, 1), tl.sum(shift, 1), tl.sum(spread, 1)
    if SPLIT:
        store_part(values, index, row, rows, split, there, a, b, most, c, d, at, MOMENTS, ARGMAX)
    else:
        store_row(values, index, row, rows, there, positions, pilot, a, b, most, c, d, at, MOMENTS, ARGMAX)


@triton.jit
def combine_kernel(
    parts,  # (splits, 5, rows)
    places,  # (splits, rows)
    pilots,  # (rows): the first element of each
    values,
    index,
    rows,
    positions,
    splits,
    BLOCK: tl.constexpr,
    MOMENTS: tl.constexpr,
    ARGMAX: tl.constexpr,
):
    """Add up, in float64, what the programs of a split launch left."""
    row = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    keep = row < rows
    zero = tl.zeros([BLOCK], tl.float64)
    l1, square, shift, spread = zero, zero, zero, zero
    top = tl.full([BLOCK], -1, tl.int32)
    place = tl.full([BLOCK], -1, tl.int64)
    part = parts + row
    where = places + row
    for _ in range(splits):
        l1 += tl.load(part, mask=keep, other=0.0)
        square += tl.load(part + rows, mask=keep, other=0.0)
        bits = tl.load(part + 2 * rows, mask=keep, other=0.0).to(tl.int32, bitcast=True)
        if ARGMAX:
            at = tl.load(where, mask=keep, other=0)
            place = tl.where(bits > top, at, place)
        top = tl.maximum(top, bits)
        if MOMENTS:
            shift += tl.load(part + 3 * rows, mask=keep, other=0.0)
            spread += tl.load(part + 4 * rows, mask=keep, other=0.0)
        part += 5 * rows
        where += rows
    pilot = pilot_of(tl.load(pilots + row, mask=keep, other=0.0))
    store_row(values, index, row, rows, keep, positions, pilot, l1, square, top, shift, spread, place, MOMENTS, ARGMAX)
