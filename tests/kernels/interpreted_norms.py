"""Run in a process of its own with TRITON_INTERPRET=1: the GPU kernel's values on a CPU, compared with float64."""

from __future__ import annotations

import sys

import torch
from onnxray.kernels.norms.launch import plan_for, triton_norms
from onnxray.kernels.norms.reference import reference_norms
from torch import Tensor

MOST_PROGRAMS = 50  # each takes some 10 ms


def tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 7, 9)
    odd = x.clone()
    odd[0, 0, 0, 0] = odd[0, 1, 2, 2] = odd[1, 3, 6, 8] = torch.nan
    odd[1, 1, 0, 0] = odd[1, 2, 3, 3] = torch.inf
    odd[1, 3, 0, 0] = -torch.inf
    far = torch.empty(2**31 + 64, dtype=torch.float16)  # only the pages that are written are ever there
    samples = far.as_strided((2, 2, 3, 4), (2**30 + 32, 16, 4, 1))
    samples.copy_(torch.randn(samples.shape))
    positions = far.as_strided((1, 2, 3, 4), (0, 4, 2**30, 1))
    positions.copy_(torch.randn(positions.shape))
    return {
        "contiguous": x,
        "half": x.half(),
        "bfloat16": x.bfloat16(),
        "channels_last": x.contiguous(memory_format=torch.channels_last),
        "crop": x[..., 1:-1, 2:-1],
        "crop of channels_last": x.contiguous(memory_format=torch.channels_last)[..., 1:-1, 2:-1],
        "slice of channels": x[:, 1:4],
        "transposed": x.transpose(2, 3),
        "expanded": x[:1].expand(3, -1, -1, -1),
        "crop of 3-d": torch.randn(2, 3, 4, 5, 6)[..., 1:, 1:],
        "no positions' axes": torch.randn(3, 70),
        "ties": x.round(),
        "NaN and infinity": odd,
        "far from zero": torch.randn(2, 3, 8) * 0.01 + 1000,
        "in parts": torch.randn(1, 2, 9001),
        "in parts, from infinity to NaN": torch.cat(
            [torch.full((1, 1, 1), torch.inf), torch.full((1, 1, 4500), torch.nan)], 2
        ),
        "samples 2 GiB apart": samples,
        "positions 4 GiB apart": positions,
    }


def wrong(x: Tensor, extras: bool) -> str:
    """What differs, or nothing."""
    values, index = triton_norms(x, extras, extras)
    true, place = reference_norms(x.double(), extras, extras)
    if not torch.allclose(values[:3].double(), true[:3], rtol=1e-5, atol=1e-12, equal_nan=True):
        return "norms"
    if not torch.allclose(values[3:].double(), true[3:], rtol=1e-4, atol=1e-6, equal_nan=True):
        return "moments"
    return "" if torch.equal(index, place) else "argmax"


def main() -> int:
    programs, failures = 0, []
    for name, x in tensors().items():
        for extras in (True, False) if name in {"contiguous", "in parts", "NaN and infinity"} else (True,):
            programs += plan_for(x, extras, 8).programs
            if what := wrong(x, extras):
                failures.append(f"{name}: {what}")
    if programs > MOST_PROGRAMS:
        failures.append(f"{programs} programs are too many to interpret")
    sys.stdout.write("\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
