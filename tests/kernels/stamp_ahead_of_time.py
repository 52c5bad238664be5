"""Run in a process of its own without TRITON_INTERPRET: the stamping kernels compiled for GPUs that are not here.

Prints one JSON object a line: what was compiled, its registers and stack, and whether it reads in wide pieces.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from norms_ahead_of_time import TYPES, built, described  # type: ignore[import-not-found] # it lies beside this one
from onnxray.kernels.stamping import triton_kernel
from onnxray.kernels.stamping.launch import (
    Grid,
    constants,
    gradient_arguments,
    gradient_grid,
    stamp_arguments,
    stamp_grid,
)
from torch import Tensor

PROCESSORS = 132
VARIANTS: list[tuple[int, torch.dtype, tuple[int, ...], bool, bool]] = [
    # capability, type, pictures, channels_last, with an index
    (80, torch.float32, (200, 3, 32, 32), True, True),
    (90, torch.float32, (200, 3, 32, 32), True, True),
    (90, torch.float32, (16, 1, 28, 28), False, False),
    (90, torch.float16, (200, 3, 64, 64), True, True),
    (90, torch.bfloat16, (16, 3, 224, 224), False, False),
]


def compiled(kernel: Any, arguments: tuple[Any, ...], grid: Grid, indexed: bool, capability: int) -> dict[str, Any]:
    """Compile as a launch with these arguments would: a 1 is a constant, and divisibility by 16 is known."""
    signature, fixed, aligned = {}, constants(grid, indexed), []
    for at, value in enumerate(arguments):
        name = kernel.arg_names[at]
        if isinstance(value, Tensor):
            signature[name] = f"*{TYPES.get(value.dtype, 'i64')}"
        else:
            signature[name] = "constexpr" if value == 1 else "i32"
        if isinstance(value, int) and value == 1:
            fixed[name] = 1
        elif isinstance(value, Tensor) or value % 16 == 0:
            aligned.append(at)
    facts: dict[str, Any] = described(built(kernel, signature, fixed, aligned, capability, 4))
    return facts


def both(
    capability: int, dtype: torch.dtype, shape: tuple[int, ...], channels_last: bool, indexed: bool
) -> list[dict[str, Any]]:
    """The two kernels for ten triggers on sixteen pictures each."""
    triggers, count = 10, 16
    order = torch.channels_last if channels_last else torch.contiguous_format
    images = torch.empty(shape, dtype=dtype, device="meta").contiguous(memory_format=order)
    patterns = torch.empty(triggers, *shape[1:], dtype=dtype, device="meta")
    index = torch.empty(triggers, count, dtype=torch.int64, device="meta") if indexed else None
    masks, positions = patterns[:, :1], shape[2] * shape[3]
    flat = torch.empty(triggers * count, *shape[1:], dtype=dtype, device="meta").contiguous(memory_format=order)
    grid = stamp_grid(triggers, count, shape[1], positions, PROCESSORS)
    arguments = (*stamp_arguments(flat, images, masks, patterns, index, count, channels_last), grid.part)
    forward = compiled(triton_kernel.stamp_kernel, arguments, grid, indexed, capability)
    given = flat.view(triggers, count, *shape[1:])
    grid = gradient_grid(triggers, shape[1], positions, PROCESSORS)
    arguments = gradient_arguments(masks, patterns, given, images, masks, patterns, index)
    backward = compiled(triton_kernel.gradient_kernel, arguments, grid, indexed, capability)
    label = {"capability": capability, "type": TYPES[dtype], "channels_last": channels_last, "shape": shape}
    return [label | {"kernel": "stamp"} | forward, label | {"kernel": "gradient"} | backward]


def main() -> None:
    for variant in VARIANTS:
        for facts in both(*variant):
            sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
