"""The norms on a CPU: norms.cpp, compiled when it is first needed."""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from .layout import Layout, layout_of
from .library import shared_library
from .outputs import new_outputs

__all__ = ["compiled_norms", "library"]

ELEMENTS = {torch.float32: "float", torch.float16: "Half", torch.bfloat16: "Brain", torch.float64: "double"}
BYTES_PER_THREAD = 1 << 20  # below, starting a thread takes longer than it saves


class _Task(ctypes.Structure):
    """The fields of ``Task`` in norms.cpp, where they are explained."""

    _fields_ = (
        ("data", c_void_p),
        ("end", c_void_p),
        ("values", c_void_p),
        ("index", c_void_p),
        ("samples", c_int64),
        ("channels", c_int64),
        ("sizes", c_int64 * 3),
        ("strides", c_int64 * 5),
        ("steps", c_int64 * 3),
        ("moments", c_int32),
        ("lanes", c_int32),
        ("threads", c_int32),
    )


@cache
def library(dtype: torch.dtype) -> ctypes.CDLL:
    """The compiled code for one element type; raises ``CompilationError``."""
    return shared_library(Path(__file__).with_name("norms.cpp"), f"ELEMENT={ELEMENTS[dtype]}")


def compiled_norms(x: Tensor, moments: bool, argmax: bool) -> tuple[Tensor, Tensor]:
    """The operator of ``operator.py`` for a tensor on the CPU that is not empty, of any strides."""
    values, index = new_outputs(x, moments, argmax)
    layout = layout_of(x, reorder=True)
    task = _Task(
        data=x.data_ptr(),
        end=x.data_ptr() + _span(x) * x.element_size(),
        values=values.data_ptr(),
        index=index.data_ptr() if argmax else None,
        samples=layout.samples,
        channels=layout.channels,
        sizes=(c_int64 * 3)(*layout.sizes),
        strides=(c_int64 * 5)(layout.stride_sample, layout.stride_channel, *layout.strides),
        steps=(c_int64 * 3)(*layout.steps),
        moments=moments,
        lanes=layout.channels_last,
        threads=_threads(x, layout),
    )
    library(x.dtype).activation_norms(ctypes.byref(task))
    return values, index


def _span(x: Tensor) -> int:
    """Elements from the first to the last in memory."""
    return 1 + sum((n - 1) * s for n, s in zip(x.shape, x.stride(), strict=True))


def _threads(x: Tensor, layout: Layout) -> int:
    size = layout.samples * layout.channels * layout.positions * x.element_size()
    return max(1, min(torch.get_num_threads(), size // BYTES_PER_THREAD))
