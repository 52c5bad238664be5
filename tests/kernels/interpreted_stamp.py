"""Run in a process of its own with TRITON_INTERPRET=1: the GPU kernels' values on a CPU, compared with float64."""

from __future__ import annotations

import sys

import torch
from onnxray.kernels.stamping import launch
from onnxray.kernels.stamping.launch import gradient_grid, stamp_grid, triton_gradient, triton_stamp
from onnxray.kernels.stamping.reference import plain_stamp
from torch import Tensor

TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
CL = torch.channels_last


def cases() -> dict[str, tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """Name to images, masks, patterns and index."""
    torch.manual_seed(0)
    x, m, p = torch.rand(5, 3, 7, 9), torch.rand(2, 1, 7, 9), torch.rand(2, 3, 7, 9)
    m[0, 0, 0, :4] = torch.tensor([0.0, 1.0, 0.5, 1.0])
    index = torch.tensor([[4, 0, 4], [1, 2, 3]])
    return {
        "shared": (x, m, p, None),
        "own": (torch.rand(2, 3, 3, 7, 9), m, p, None),
        "index": (x, m, p, index),
        "channels_last, index": (x.contiguous(memory_format=CL), m, p, index),
        "crop": (torch.rand(3, 3, 9, 12)[..., 1:-1, 2:-1], m, p.contiguous(memory_format=CL), None),
        "mask of a slice": (x, torch.rand(2, 2, 7, 9)[:, 1:], p, index[:, 1:]),
        "twenty channels": (torch.rand(2, 20, 3, 5), torch.rand(1, 1, 3, 5), torch.rand(1, 20, 3, 5), None),
        "grey, many positions": (torch.rand(2, 1, 33, 35), torch.rand(1, 1, 33, 35), torch.rand(1, 1, 33, 35), None),
        "half": (x.half(), m.half(), p.half(), index),
        "bfloat16": (x.bfloat16(), m.bfloat16(), p.bfloat16(), None),
    }


def wrong(images: Tensor, masks: Tensor, patterns: Tensor, index: Tensor | None) -> str:
    """What differs, or nothing."""
    close = TOLERANCE[images.dtype]
    true_mask, true_pattern = (t.double().requires_grad_() for t in (masks, patterns))
    true = plain_stamp(images.double(), true_mask, true_pattern, index)
    for channels_last in (False, True):
        got = triton_stamp(images, masks, patterns, index, channels_last)
        if not torch.allclose(got.double(), true, rtol=close, atol=close):
            return f"values, channels_last={channels_last}"
        if not got.flatten(0, 1).is_contiguous(memory_format=CL if channels_last else torch.contiguous_format):
            return f"layout, channels_last={channels_last}"
        given = torch.randn(got.flatten(0, 1).shape).to(got.dtype)
        given = given.contiguous(memory_format=torch.contiguous_format if channels_last else CL)
        given = given.view(got.shape)
        ours = triton_gradient(given, images, masks, patterns, index)
        theirs = torch.autograd.grad(true, (true_mask, true_pattern), given.double(), retain_graph=True)
        for name, one, want in zip(("mask", "pattern"), ours, theirs, strict=True):
            if not torch.allclose(one.double(), want, rtol=close, atol=20 * close):
                return f"gradient of the {name}, channels_last={channels_last}"
    return ""


def outside() -> str:
    """An index that is none of the pictures must not be followed."""
    x, m, p = torch.rand(3, 1, 4, 4), torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4)
    got = triton_stamp(x, m, p, torch.tensor([[1, 3, -1, 1 << 40]]), False)
    fine = torch.equal(got.isnan().flatten(2).all(2), torch.tensor([[False, True, True, True]]))
    return "" if fine and torch.allclose(got[0, 0], x[1] + m[0] * (p[0] - x[1])) else "an index outside is followed"


def in_parts() -> str:
    """Several pictures a program, and fewer for the last one."""
    launch.PROGRAMS_PER_PROCESSOR = 1
    grid = stamp_grid(2, 5, 3, 63, launch.PROCESSORS_UNSEEN)
    what = wrong(*cases()["shared"]) if (grid.part, grid.programs) == (2, 6) else f"{grid} does not test parts"
    launch.PROGRAMS_PER_PROCESSOR = 8
    return what and f"in parts: {what}"


def main() -> int:
    failures = [f"{name}: {what}" for name, case in cases().items() if (what := wrong(*case))]
    failures += [what for what in (outside(), in_parts()) if what]
    several = stamp_grid(2, 3, 3, 63, 8).programs, gradient_grid(2, 3, 63, 8).programs
    if min(several) < 4:
        failures.append(f"{several} programs are too few to be a test")
    sys.stdout.write("\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
