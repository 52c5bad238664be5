"""Stamping on a GPU, as Triton programs; imported only where Triton is there.

One program owns a tile of BLOCK_S positions of one trigger and walks over pictures and channels: mask and pattern are
read once, and what is added up stays in registers, in an order that never changes.
"""

# Constants of a kernel are in capitals, and its arguments have no types that mypy knows.
# ruff: noqa: N803
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["gradient_kernel", "stamp_kernel"]


@triton.jit
def load_picture(
    images, index, trigger, sample, pictures, samples, stride_t, stride_n, offset, keep, INDEXED: tl.constexpr
):
    """A tile of one picture in float32; NaN where the index is none of the pictures."""
    if INDEXED:
        which = tl.load(index + trigger * samples + sample)
        inside = (which >= 0) & (which < pictures)
        base = images + tl.where(inside, which, 0) * stride_n
        return tl.where(inside, tl.load(base + offset, mask=keep, other=0.0).to(tl.float32), float("nan"))
    else:
        base = images + trigger * stride_t + tl.cast(sample, tl.int64) * stride_n
        return tl.load(base + offset, mask=keep, other=0.0).to(tl.float32)


@triton.jit
def stamp_kernel(
    out,  # (T, N, C, H, W), dense
    images,  # (T, N, C, H, W) of any strides, or with INDEXED (M, C, H, W)
    masks,  # (T, H * W)
    patterns,  # (T, C, H, W), lying like out
    index,  # (T, N)
    pictures,  # M
    samples,
    channels,
    positions,
    width,
    image_t,
    image_n,
    image_c,
    image_h,
    image_w,
    out_c,
    out_s,
    part,  # pictures for one program
    BLOCK_C: tl.constexpr,
    BLOCK_S: tl.constexpr,
    INDEXED: tl.constexpr,
):
    """(tile of positions, part of the pictures, trigger) a program, tiles fastest."""
    program = tl.program_id(0)
    tiles = tl.cdiv(positions, BLOCK_S)
    parts = tl.cdiv(samples, part)
    position = program % tiles * BLOCK_S + tl.arange(0, BLOCK_S)
    first = program // tiles % parts * part
    trigger = (program // tiles // parts).to(tl.int64)
    there = position < positions
    m = tl.load(masks + trigger * positions + position, mask=there, other=0.0).to(tl.float32)[None, :]
    at = position // width * image_h + position % width * image_w
    for start in range(0, channels, BLOCK_C):
        channel = start + tl.arange(0, BLOCK_C)
        keep = (channel < channels)[:, None] & there[None, :]
        place = channel[:, None] * out_c + position[None, :] * out_s
        p = tl.load(patterns + trigger * channels * positions + place, mask=keep, other=0.0).to(tl.float32)
        offset = channel[:, None] * image_c + at[None, :]
        for sample in range(first, tl.minimum(first + part, samples)):
            x = load_picture(images, index, trigger, sample, pictures, samples, image_t, image_n, offset, keep, INDEXED)
            blend = tl.where(m < 0.5, x + m * (p - x), p - (1 - m) * (p - x))  # exact at both ends
            to = out + (trigger * samples + sample) * channels * positions
            tl.store(to + place, blend.to(out.dtype.element_ty), mask=keep)


@triton.jit
def gradient_kernel(
    of_mask,  # (T, H * W)
    of_pattern,  # (T, C, H, W), lying like the patterns
    given,  # (T, N, C, H, W), any strides
    images,
    masks,
    patterns,
    index,
    pictures,
    samples,
    channels,
    positions,
    width,
    image_t,
    image_n,
    image_c,
    image_h,
    image_w,
    given_t,
    given_n,
    given_c,
    given_h,
    given_w,
    pattern_c,
    pattern_s,
    BLOCK_C: tl.constexpr,
    BLOCK_S: tl.constexpr,
    INDEXED: tl.constexpr,
):
    """(tile of positions, trigger) a program, tiles fastest; no other program adds to what it writes."""
    program = tl.program_id(0)
    tiles = tl.cdiv(positions, BLOCK_S)
    position = program % tiles * BLOCK_S + tl.arange(0, BLOCK_S)
    trigger = (program // tiles).to(tl.int64)
    there = position < positions
    m = tl.load(masks + trigger * positions + position, mask=there, other=0.0).to(tl.float32)[None, :]
    row, column = position // width, position % width
    at = row * image_h + column * image_w
    from_g = row * given_h + column * given_w
    product = tl.zeros([BLOCK_C, BLOCK_S], tl.float32)
    for start in range(0, channels, BLOCK_C):
        channel = start + tl.arange(0, BLOCK_C)
        keep = (channel < channels)[:, None] & there[None, :]
        place = trigger * channels * positions + channel[:, None] * pattern_c + position[None, :] * pattern_s
        p = tl.load(patterns + place, mask=keep, other=0.0).to(tl.float32)
        offset = channel[:, None] * image_c + at[None, :]
        offset_g = channel[:, None] * given_c + from_g[None, :]
        total = tl.zeros([BLOCK_C, BLOCK_S], tl.float32)
        for sample in range(samples):
            x = load_picture(images, index, trigger, sample, pictures, samples, image_t, image_n, offset, keep, INDEXED)
            source = given + trigger * given_t + tl.cast(sample, tl.int64) * given_n
            g = tl.load(source + offset_g, mask=keep, other=0.0).to(tl.float32)
            product += tl.where(keep, g * (p - x), 0.0)
            total += g
        tl.store(of_pattern + place, (total * m).to(of_pattern.dtype.element_ty), mask=keep)
    of_position = tl.sum(product, 0)
    to = of_mask + trigger * positions + position
    tl.store(to, of_position.to(of_mask.dtype.element_ty), mask=there)
