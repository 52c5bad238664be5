"""The operators of graphs that onnxruntime saved fully optimised: channels in blocks of one processor's vector width.

A tensor is held here as plain (N, C, ...), C filled up to whole blocks with zeros; only weights lie in the file in
blocked order. The width, 8 or 16, is nowhere written down: such a file runs right only on processors like the one that
wrote it, so the width is asked of the onnxruntime at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator
from .contrib_fused import activated
from .convolution import conv
from .global_pooling import global_average_pool, global_max_pool
from .pooling import average_pool, max_pool
from .resample import resize

_DOMAIN = "com.microsoft.nchwc"


@operator("ReorderInput", domain=_DOMAIN)
def reorder_input(x: Tensor, *, channels_last: int = 0) -> Tensor:
    """(N, C, ...), or (N, ..., C) with `channels_last`, with whole blocks of channels."""
    x = x.movedim(-1, 1) if channels_last else x
    missing = -x.shape[1] % _block()
    return F.pad(x, [0, 0] * (x.ndim - 2) + [0, missing]) if missing else x


@operator("ReorderOutput", domain=_DOMAIN)
def reorder_output(x: Tensor, *, channels: int = 0, channels_last: int = 0) -> Tensor:
    """The first `channels` channels, last with `channels_last`."""
    x = x[:, :channels] if channels else x
    return x.movedim(1, -1) if channels_last else x


@operator("Conv", domain=_DOMAIN)
def nchwc_conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    z: Tensor | None = None,
    *,
    activation: str = "",
    activation_params: Sequence[float] = (),
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``activation(conv(x, w, b) + z)``."""
    depthwise = group > 1 and w.shape[1] == 1
    w = _in_order(w, _block(), whole=not depthwise and w.shape[1] >= _block())
    y = conv(x, w, b, auto_pad=auto_pad, dilations=dilations, group=len(w) if depthwise else group,
             kernel_shape=kernel_shape, pads=pads, strides=strides)  # fmt: skip
    return activated(y if z is None else y + z, activation, activation_params)


@operator("MaxPool", domain=_DOMAIN)
def nchwc_max_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] = (),
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    storage_order: int = 0,
    strides: Sequence[int] = (),
) -> Tensor:
    """``max(x)`` over each window."""
    return max_pool(x, auto_pad=auto_pad, ceil_mode=ceil_mode, dilations=dilations, kernel_shape=kernel_shape,
                    pads=pads, strides=strides)[0]  # fmt: skip


@operator("AveragePool", domain=_DOMAIN)
def nchwc_average_pool(
    x: Tensor,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] = (),
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (),
    strides: Sequence[int] = (),
) -> Tensor:
    """``mean(x)`` over each window."""
    return average_pool(x, auto_pad=auto_pad, ceil_mode=ceil_mode, count_include_pad=count_include_pad,
                        dilations=dilations, kernel_shape=kernel_shape, pads=pads, strides=strides)  # fmt: skip


@operator("GlobalAveragePool", domain=_DOMAIN)
def nchwc_global_average_pool(x: Tensor) -> Tensor:
    """``mean(x)`` over all spatial axes, which stay with size 1."""
    return global_average_pool(x)


@operator("GlobalMaxPool", domain=_DOMAIN)
def nchwc_global_max_pool(x: Tensor) -> Tensor:
    """``max(x)`` over all spatial axes, which stay with size 1."""
    return global_max_pool(x)


@operator("Upsample", domain=_DOMAIN)
def nchwc_upsample(
    x: Tensor,
    *,
    coordinate_transformation_mode: str = "asymmetric",
    mode: str = "nearest",
    scales: Sequence[int],
) -> Tensor:
    """The input on a finer grid, every axis by its scale."""
    return resize(x, None, [float(scale) for scale in scales], mode=mode, nearest_mode="floor",
                  coordinate_transformation_mode=coordinate_transformation_mode)  # fmt: skip


def _in_order(w: Tensor, block: int, whole: bool) -> Tensor:
    """A kernel in the order (O, I, ...) of Conv: in the file, blocks of O lie last and, if `whole`, those of I too."""
    outputs, inputs, *sizes = w.shape
    if whole:
        blocked = w.reshape(outputs // block, inputs // block, *sizes, block, block)
        return blocked.movedim((-1, -2), (1, 3)).reshape(w.shape)
    return w.reshape(outputs // block, inputs, *sizes, block).movedim(-1, 1).reshape(w.shape)


@cache
def _block() -> int:
    """How many channels onnxruntime puts into a block on this machine."""
    import numpy as np
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph([helper.make_node("ReorderInput", ["x"], ["y"], domain=_DOMAIN)], "g", [values[0]],
                              [values[1]])  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (blocked,) = session.run(None, {"x": np.zeros((1, 4, 1, 1), np.float32)})
    return int(blocked.shape[1])
