"""Which implementation of the norms runs on which device, and why not the fast one where it does not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from .chunked import chunked_norms
from .library import CompilationError

__all__ = ["Backend", "backend_for", "implementation"]

Implementation = Callable[[Tensor, bool, bool], tuple[Tensor, Tensor]]
OLDEST_GPU = (7, 5)  # Turing: the oldest that Triton generates code for


@dataclass(frozen=True)
class Backend:
    """What runs the norms: ``compiled`` (C++), ``triton``, or ``torch`` with a note on why it is not one of those."""

    name: Literal["compiled", "triton", "torch"]
    note: str = ""


def backend_for(device: torch.device | str, dtype: torch.dtype = torch.float32) -> Backend:
    """Tell what runs ``activation_norms`` on a device; the first call may compile, or try the GPU."""
    device = torch.device(device)
    if device.type == "cpu":
        return _on_cpu(dtype)
    if device.type == "cuda":
        return _on_gpu(_index(device), dtype)
    return Backend("torch", f"no kernel for devices of type {device.type}")


def _index(device: torch.device) -> int:
    """The device's number; that of the current one for plain ``cuda``."""
    number: int | None = device.index
    return number if number is not None else torch.cuda.current_device() if torch.cuda.is_available() else 0


def implementation(x: Tensor) -> Implementation:
    """The function for a tensor that is not empty."""
    name = backend_for(x.device, x.dtype).name
    if name == "compiled":
        from .compiled import compiled_norms

        return compiled_norms
    if name == "triton":
        from .launch import triton_norms

        return triton_norms
    return chunked_norms


@cache
def _on_cpu(dtype: torch.dtype) -> Backend:
    from .compiled import library

    try:
        library(dtype)
    except CompilationError as error:
        return Backend("torch", str(error))
    return Backend("compiled")


@cache
def _on_gpu(index: int, dtype: torch.dtype) -> Backend:
    if dtype == torch.float64:
        return Backend("torch", "the GPU kernel has no float64")
    if not torch.cuda.is_available():
        return Backend("torch", "this torch sees no CUDA device")
    if torch.version.hip:
        return Backend("torch", "the GPU kernel is written for NVIDIA devices")
    capability = torch.cuda.get_device_capability(index)
    if capability < OLDEST_GPU:
        return Backend("torch", f"the GPU has compute capability {capability[0]}.{capability[1]}; Triton needs 7.5")
    if importlib.util.find_spec("triton") is None:
        return Backend("torch", "Triton is missing: pip install 'onnxray[gpu]'")
    return _tried_on_gpu(index, dtype)


def _tried_on_gpu(index: int, dtype: torch.dtype) -> Backend:
    """Triton may be there and not work: too old for torch or the GPU, no C compiler for its launcher."""
    try:
        from .launch import triton_norms

        triton_norms(torch.ones(1, 1, 64, dtype=dtype, device=f"cuda:{index}"), True, True)
    except Exception as error:  # noqa: BLE001 - of its compiler, its driver or the linker: none of them ours to list
        complaint = (str(error).strip().splitlines() or [""])[0]
        return Backend("torch", f"Triton does not work here: {type(error).__name__}: {complaint}")
    return Backend("triton")
