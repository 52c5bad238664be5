"""How the GPU kernels are laid over triggers and pictures."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

__all__ = ["Grid", "gradient_grid", "stamp_grid", "triton_gradient", "triton_stamp"]

TILE = 1024  # numbers a program works on at a time
SMALLEST_TILE = 128
PROGRAMS_PER_PROCESSOR = 8
PROCESSORS_UNSEEN = 8  # where there is no GPU to ask: the interpreter


@dataclass(frozen=True)
class Grid:
    """One launch: the tile (channels by positions), pictures a program, and the number of programs."""

    block_c: int
    block_s: int
    part: int
    programs: int


def triton_stamp(images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None, channels_last: bool) -> Tensor:
    """The stamped images (T, N, C, H, W), of CUDA tensors of one type: float32, float16 or bfloat16."""
    triggers, channels, height, width = patterns.shape
    count = images.shape[-4] if index is None else index.shape[1]
    order = torch.channels_last if channels_last else torch.contiguous_format
    shape = triggers * count, channels, height, width
    flat = torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=order)
    if flat.numel():
        from .triton_kernel import stamp_kernel

        grid = stamp_grid(triggers, count, channels, height * width, _processors(images.device))
        arguments = stamp_arguments(flat, images, masks, patterns, index, count, channels_last)
        with _on(images.device):
            stamp_kernel[(grid.programs,)](*arguments, grid.part, **constants(grid, index is not None))
    return flat.view(triggers, count, *shape[1:])


def triton_gradient(
    gradient: Tensor, images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Gradients of masks and patterns, given that of the stamped images, which may have any strides."""
    of_mask = torch.zeros_like(masks, memory_format=torch.contiguous_format)
    of_pattern = torch.zeros_like(patterns, memory_format=torch.contiguous_format)
    if gradient.numel():
        from .triton_kernel import gradient_kernel

        triggers, channels, height, width = patterns.shape
        grid = gradient_grid(triggers, channels, height * width, _processors(images.device))
        arguments = gradient_arguments(of_mask, of_pattern, gradient, images, masks, patterns, index)
        with _on(images.device):
            gradient_kernel[(grid.programs,)](*arguments, **constants(grid, index is not None))
    return of_mask, of_pattern


def stamp_grid(triggers: int, count: int, channels: int, positions: int, processors: int) -> Grid:
    """Programs of the forward pass; pictures are shared out where tiles alone would leave processors without work."""
    block_c, block_s = _tile(channels, positions, TILE)
    tiles = triggers * -(-positions // block_s)
    parts = min(count, -(-PROGRAMS_PER_PROCESSOR * processors // tiles))
    part = -(-count // parts)
    return Grid(block_c, block_s, part, tiles * -(-count // part))


def gradient_grid(triggers: int, channels: int, positions: int, processors: int) -> Grid:
    """Programs of the backward pass; tiles are smaller where large ones would leave processors without work."""
    size = TILE
    while True:
        block_c, block_s = _tile(channels, positions, size)
        programs = triggers * -(-positions // block_s)
        if programs >= PROGRAMS_PER_PROCESSOR * processors or size <= SMALLEST_TILE:
            return Grid(block_c, block_s, 0, programs)
        size //= 2


def stamp_arguments(
    flat: Tensor,
    images: Tensor,
    masks: Tensor,
    patterns: Tensor,
    index: Tensor | None,
    count: int,
    channels_last: bool,
) -> tuple[Any, ...]:
    """The forward kernel's arguments before ``part``; patterns are made to lie like the result, ``flat``."""
    order = torch.channels_last if channels_last else torch.contiguous_format
    like = patterns.contiguous(memory_format=order)
    channels, positions = patterns.shape[1], patterns.shape[2] * patterns.shape[3]
    out_c, out_s = (1, channels) if channels_last else (positions, 1)
    return flat, *_read(images, masks, like, index, count), out_c, out_s


def gradient_arguments(
    of_mask: Tensor,
    of_pattern: Tensor,
    gradient: Tensor,
    images: Tensor,
    masks: Tensor,
    patterns: Tensor,
    index: Tensor | None,
) -> tuple[Any, ...]:
    """The backward kernel's arguments; patterns and their gradient lie contiguously."""
    positions = patterns.shape[2] * patterns.shape[3]
    read = _read(images, masks, patterns.contiguous(), index, gradient.shape[1])
    return of_mask, of_pattern, gradient, *read, *gradient.stride(), positions, 1


def _read(images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None, count: int) -> tuple[Any, ...]:
    """What both kernels read, with its sizes and strides; without an index its pointer is never followed."""
    channels, height, width = patterns.shape[1:]
    stride_t = images.stride(0) if images.dim() == 5 else 0
    rows = masks if index is None else index.contiguous()
    sizes = (images.shape[-4], count, channels, height * width, width)
    return images, masks.contiguous(), patterns, rows, *sizes, stride_t, *images.stride()[-4:]


def constants(grid: Grid, indexed: bool) -> dict[str, Any]:
    """What the kernels are compiled for."""
    return {"BLOCK_C": grid.block_c, "BLOCK_S": grid.block_s, "INDEXED": indexed}


def _tile(channels: int, positions: int, size: int) -> tuple[int, int]:
    block_c = min(16, _power(channels))
    return block_c, min(size // block_c, _power(positions))


def _power(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _on(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Triton launches on the current device, not on the tensor's."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


@cache
def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return PROCESSORS_UNSEEN
    return torch.cuda.get_device_properties(device).multi_processor_count
