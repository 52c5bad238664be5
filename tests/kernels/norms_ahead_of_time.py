"""Run in a process of its own without TRITON_INTERPRET: the GPU kernel compiled for GPUs that are not here.

Prints one JSON object a line: what was compiled, its registers, stack, and the instructions that matter.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from onnxray.kernels.norms import triton_kernel
from onnxray.kernels.norms.launch import Plan, constants, numbers, plan_for
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
TYPES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
PROCESSORS = 132
MAP, PARTS = (64, 256, 28, 28), (2, 3, 512, 512)
VARIANTS: list[tuple[int, tuple[int, ...], torch.dtype, bool, bool]] = [
    # capability, shape, type, channels_last, moments and argmax
    (80, MAP, torch.float32, False, False),
    (80, MAP, torch.float32, True, True),
    (90, MAP, torch.float32, False, False),
    (90, MAP, torch.float32, False, True),
    (90, MAP, torch.float32, True, False),
    (90, MAP, torch.float32, True, True),
    (90, MAP, torch.float16, False, False),
    (90, MAP, torch.bfloat16, True, False),
    (90, PARTS, torch.float32, False, True),
]


def compiled_norms(plan: Plan, dtype: torch.dtype, extras: bool, capability: int) -> Any:
    """Compile as a launch with these arguments would: a 1 is a constant, and divisibility by 16 is known."""
    kernel = triton_kernel.norms_kernel
    fixed: dict[str, Any] = constants(plan, extras, extras)
    signature = {"x": f"*{TYPES[dtype]}", "values": "*fp32", "index": "*i64"}
    aligned = [0, 1, 2]
    for at, value in enumerate(numbers(plan), start=3):
        name = kernel.arg_names[at]
        signature[name] = "constexpr" if value == 1 else "i32"
        fixed |= {name: 1} if value == 1 else {}
        aligned += [at] if value % 16 == 0 else []
    return built(kernel, signature, fixed, aligned, capability, plan.warps)


def compiled_combine(capability: int) -> Any:
    pointers = {"parts": "*fp32", "places": "*i64", "pilots": "*fp32", "values": "*fp32", "index": "*i64"}
    signature = pointers | {"rows": "i32", "positions": "i32", "splits": "i32"}
    fixed = {"BLOCK": 128, "MOMENTS": True, "ARGMAX": True}
    return built(triton_kernel.combine_kernel, signature, fixed, [0, 1, 2, 3, 4], capability, 4)


def built(
    kernel: Any, signature: dict[str, str], fixed: dict[str, Any], aligned: list[int], capability: int, warps: int
) -> Any:
    named = {name: "constexpr" for name in fixed}
    source = ASTSource(kernel, signature | named, fixed, {(at,): [["tt.divisibility", 16]] for at in aligned})
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps})


def described(code: Any) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code.asm["cubin"])
        file.flush()
        usage, sass = (
            subprocess.run([CUOBJDUMP, flag, file.name], capture_output=True, text=True, check=True).stdout
            for flag in ("-res-usage", "-sass")
        )
    (registers,), (stack,) = re.findall(r"REG:(\d+)", usage), re.findall(r"STACK:(\d+)", usage)
    return {
        "registers": int(registers),
        "stack": int(stack),
        "spills": len(re.findall(r"\b(?:LDL|STL)\b", sass)),
        "redux": "REDUX" in sass,
        "wide_loads": "ld.global.v4.b32" in code.asm["ptx"],
    }


def main() -> None:
    for capability, shape, dtype, channels_last, extras in VARIANTS:
        order = torch.channels_last if channels_last else torch.contiguous_format
        x = torch.empty(shape, dtype=dtype, device="meta").contiguous(memory_format=order)
        plan = plan_for(x, extras, PROCESSORS)
        label = {"capability": capability, "type": TYPES[dtype], "channels_last": channels_last, "extras": extras}
        facts = described(compiled_norms(plan, dtype, extras, capability))
        sys.stdout.write(json.dumps(label | {"rows": plan.block_c, "splits": plan.splits} | facts) + "\n")
    sys.stdout.write(json.dumps({"kernel": "combine"} | described(compiled_combine(90))) + "\n")


if __name__ == "__main__":
    main()
