"""How the GPU kernel is laid over a tensor: tiles, parts of long channels, and 64-bit offsets where they are needed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from .layout import Layout, layout_of
from .outputs import new_outputs

__all__ = ["Plan", "plan_for", "triton_norms"]

LONGEST_PART = 1 << 18  # positions that one program adds up: each place of a tile then sums some hundred elements
PROGRAMS_PER_PROCESSOR = 4
PROCESSORS_UNSEEN = 8  # where there is no GPU to ask: the interpreter
OFFSETS_32_BIT = 2**31 - 2**16  # what a masked tile may reach beyond its last position included


@dataclass(frozen=True)
class Plan:
    """One launch: the layout, the tile (channels by positions), and positions a program."""

    layout: Layout
    block_c: int
    block_s: int
    part: int
    splits: int
    levels: int
    wide: bool
    warps: int

    @property
    def programs(self) -> int:
        """Size of the grid."""
        return self.layout.samples * -(-self.layout.channels // self.block_c) * self.splits


def triton_norms(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    """The operator of ``operator.py`` for a float32, float16 or bfloat16 CUDA tensor that is not empty."""
    plan = plan_for(x, moments or argmax, _processors(x.device))
    values, index = new_outputs(x, moments, argmax)
    # Triton launches on the current device, not on the tensor's.
    with torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext():
        if plan.splits == 1:
            _launch(x, values, index, plan, moments, argmax)
        else:
            _launch_in_parts(x, values, index, plan, moments, argmax)
    return values, index


def plan_for(x: Tensor, extras: bool, processors: int) -> Plan:
    """Decide how to launch; ``extras`` (moments, argmax) need more registers, so a smaller tile."""
    return _plan(layout_of(x, reorder=False), extras, processors)


@lru_cache(maxsize=1024)
def _plan(layout: Layout, extras: bool, processors: int) -> Plan:
    layout = _rows_together(layout)
    block_c, block_s = _tile(layout, extras)
    tiles = layout.samples * -(-layout.channels // block_c)
    wanted = max(-(-layout.positions // LONGEST_PART), PROGRAMS_PER_PROCESSOR * processors // tiles)
    part = _rounded(max(-(-layout.positions // wanted), 4 * block_s), block_s)
    span = sum((n - 1) * s for n, s in zip(layout.sizes, layout.strides, strict=True))
    return Plan(
        layout=layout,
        block_c=block_c,
        block_s=block_s,
        part=part,
        splits=-(-layout.positions // part),
        levels=3 if layout.sizes[0] > 1 else 2 if layout.sizes[1] > 1 else 1,
        wide=max(span, layout.positions) > OFFSETS_32_BIT,
        warps=8 if block_c * block_s > 2048 else 4,
    )


def _rows_together(layout: Layout) -> Layout:
    """Samples counted as channels where the two lie as one axis, so that tiles of few channels are full."""
    apart = layout.stride_sample != layout.channels * layout.stride_channel
    if apart or (layout.channels_last and layout.positions > 1):
        return layout
    rows = layout.samples * layout.channels
    return Layout(1, rows, 0, layout.stride_channel, layout.sizes, layout.strides, layout.steps)


def _tile(layout: Layout, extras: bool) -> tuple[int, int]:
    """Channels by positions, powers of two, the long side along memory."""
    if layout.channels_last or layout.positions == 1:
        block_c = min(64 if extras else 128, _power(layout.channels))
        block_s = min(32 * max(1, 64 // block_c), _power(layout.positions))
        return (block_c, block_s) if block_s > 1 else (min(1024, _power(layout.channels)), 1)
    block_s = min(1024 if extras else 2048, max(16, _power(layout.positions)))
    return min(max(1, 1024 // block_s), _power(layout.channels)), block_s


def _power(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _rounded(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


@cache
def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return PROCESSORS_UNSEEN
    return torch.cuda.get_device_properties(device).multi_processor_count


def _launch(x: Tensor, values: Tensor, index: Tensor, plan: Plan, moments: bool, argmax: bool) -> None:
    from .triton_kernel import norms_kernel

    fixed = constants(plan, moments, argmax)
    norms_kernel[(plan.programs,)](x, values, index, *numbers(plan), **fixed, num_warps=plan.warps)


def numbers(plan: Plan) -> tuple[int, ...]:
    """The kernel's arguments between the tensors and the constants."""
    layout = plan.layout
    rows = layout.samples * layout.channels
    strides = (layout.stride_sample, layout.stride_channel, *layout.strides)
    return layout.samples, layout.channels, rows, layout.positions, *layout.sizes[1:], *strides, plan.part


def constants(plan: Plan, moments: bool, argmax: bool) -> dict[str, Any]:
    """What the kernel is compiled for."""
    return {
        "BLOCK_C": plan.block_c,
        "BLOCK_S": plan.block_s,
        "LEVELS": plan.levels,
        "WIDE": plan.wide,
        "MOMENTS": moments,
        "ARGMAX": argmax,
        "SPLIT": plan.splits > 1,
    }


def _launch_in_parts(x: Tensor, values: Tensor, index: Tensor, plan: Plan, moments: bool, argmax: bool) -> None:
    """Few and long channels: several programs for each, and one more launch that adds up what they found."""
    from .triton_kernel import combine_kernel

    rows = x.shape[0] * x.shape[1]
    parts = values.new_empty(plan.splits, 5, rows)
    places = index.new_empty(plan.splits, rows if argmax else 0)
    _launch(x, parts, places, plan, moments, argmax)
    pilots = x.flatten(2)[..., 0].contiguous() if x.dim() > 2 else x.contiguous()
    block = min(128, _power(rows))
    combine_kernel[(-(-rows // block),)](
        parts,
        places,
        pilots,
        values,
        index,
        rows,
        plan.layout.positions,
        plan.splits,
        BLOCK=block,
        MOMENTS=moments,
        ARGMAX=argmax,
    )
