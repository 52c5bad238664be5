"""Any graph, with any number of inputs and outputs, converted and held against onnxruntime on random inputs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TypeProto, helper
from torch import Tensor, fx

from .errors import TwinError
from .graphs import sort_nodes
from .messages import one_line
from .normalize import inline_functions
from .runtime import answers
from .to_torch import network_of
from .walk import Unsupported

__all__ = ["Agreement", "agreement"]

_ROWS = 2
_TOKENS = 16  # length of a free axis
_SMALL = 20  # random integers stay below: they are indices of something


@dataclass(frozen=True)
class Agreement:
    """How close a converted graph is to onnxruntime.

    Attributes:
        relative: largest difference of an output, in units of its largest absolute value.
        gradient: whether a finite gradient that is not zero reaches the inputs, or the weights where no input is
            floating.
    """

    relative: float
    gradient: bool


def agreement(model: ModelProto, tolerance: float = 1e-3) -> Agreement:
    """Convert a graph and compare all its numeric outputs.

    Raises:
        TwinError: it does not convert, or differs.
        ModelError: onnxruntime cannot run it.
    """
    model = sort_nodes(inline_functions(model))
    constants = {tensor.name for tensor in model.graph.initializer}
    feeds = {v.name: _random(v.type, i) for i, v in enumerate(model.graph.input) if v.name not in constants}
    expected = answers(model.SerializeToString(), feeds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = network_of(model)
    except Unsupported as error:
        raise TwinError(f"no torch twin: {one_line(error, 300)}") from None
    values = [torch.from_numpy(value) for value in feeds.values()]
    try:
        got = network(*values)
    except Exception as error:  # noqa: BLE001 - converted code, run for the first time, may raise anything
        raise TwinError(f"no torch twin: it fails with {type(error).__name__}: {one_line(error)}") from None
    relative = max((_relative(g, e) for g, e in zip(got, expected, strict=True)), default=0.0)
    if not relative <= tolerance:
        raise TwinError(f"no torch twin: its outputs differ from onnxruntime's by {relative:.3g} of their scale")
    return Agreement(relative, _has_gradient(network, values))


def _random(type_: TypeProto, seed: int) -> NDArray[Any]:
    tensor = type_.tensor_type
    sizes = [d.dim_value for d in tensor.shape.dim]
    shape = [size if size > 0 else (_ROWS if axis == 0 else _TOKENS) for axis, size in enumerate(sizes)]
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        return np.ones(shape, dtype)
    if dtype.kind in "iu":
        return rng.integers(0, 2 if seed else _SMALL, shape).astype(dtype)  # masks and types come after the tokens
    return rng.random(shape).astype(dtype)


def _relative(got: Any, expected: Any) -> float:
    if not isinstance(expected, np.ndarray) or not isinstance(got, Tensor) or expected.dtype.kind not in "fiub":
        return 0.0
    if tuple(got.shape) != expected.shape:
        return float("inf")
    want = expected.astype(np.float64)
    return float(np.abs(got.detach().double().numpy() - want).max(initial=0.0) / (np.abs(want).max(initial=0.0) or 1.0))


def _has_gradient(network: fx.GraphModule, values: list[Tensor]) -> bool:
    leaves = [value.requires_grad_() for value in values if value.is_floating_point()]
    leaves = leaves or [parameter.requires_grad_() for parameter in network.parameters()]
    outputs = [o for o in network(*values) if isinstance(o, Tensor) and o.requires_grad]
    if not leaves or not outputs:
        return False
    loss = sum((o * torch.linspace(1, 2, o.numel()).reshape(o.shape)).sum() for o in outputs)
    gradients = [g for g in torch.autograd.grad(loss, leaves, allow_unused=True) if g is not None]  # type: ignore[arg-type]
    return all(bool(g.isfinite().all()) for g in gradients) and any(bool(g.any()) for g in gradients)
