"""The gradients of the ONNX backend tests: autograd's beside central differences."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, fx

from ...converters.messages import one_line
from ...converters.normalize import inline_functions
from ...converters.operators import Gradient, find
from ...converters.to_torch import network_of
from ...converters.walk import Unsupported
from .node_tests import Case, tensor

__all__ = ["GradientResult", "Slope", "check_gradient"]

_STEP = 1e-6  # in float64: rounding and curvature both stay near 1e-9
_RELATIVE, _ABSOLUTE = 1e-4, 1e-7
_LOSSES = ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")  # torch has no gradient for their third input
_TRIES = 5  # points, each a little beside the last: one may lie on an edge such as ReLU's at 0


class Slope(StrEnum):
    """What the gradient of a test was found to be."""

    MATCH = "match"
    DIFFERS = "differs"
    SURROGATE = "surrogate"  # by design another one than that of the values
    NONE = "none"  # nothing floating to differentiate, or outputs that are discrete


@dataclass(frozen=True)
class GradientResult:
    """A test's gradient, and what is wrong with it."""

    case: Case
    slope: Slope
    reason: str = ""


def check_gradient(case: Case) -> GradientResult:
    """Compare the derivative of all outputs along a random direction with a central difference, in float64.

    Only tests whose values match say something here. No exception escapes.
    """
    model = inline_functions(case.model)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    found = [find(n.domain, n.op_type, versions.get(n.domain, 1)) for n in model.graph.node]
    kinds = {o.gradient for o in found if o is not None}
    if kinds == {Gradient.NONE}:
        return GradientResult(case, Slope.NONE)
    result = _guarded(case, model, _settings(model, versions))
    by_design = kinds & {Gradient.STRAIGHT_THROUGH, Gradient.SOFT} and result.slope is Slope.DIFFERS
    return GradientResult(case, Slope.SURROGATE) if by_design else result


def _guarded(case: Case, model: ModelProto, settings: set[int]) -> GradientResult:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = network_of(model).double()
        return _compared(case, network, [_double(tensor(v)) for v in case.inputs], settings)
    except Unsupported as error:
        return GradientResult(case, Slope.NONE, one_line(error))
    except Exception as error:  # noqa: BLE001 - whatever an operator raises is what is to be told
        return GradientResult(case, Slope.DIFFERS, f"{type(error).__name__}: {one_line(error)}")


def _settings(model: ModelProto, versions: dict[str, int]) -> set[int]:
    """Positions of inputs that are settings, such as a Resize's scales, and are not differentiated."""
    names = [value.name for value in model.graph.input]
    settings = set()
    for node in model.graph.node:
        operator = find(node.domain, node.op_type, versions.get(node.domain, 1))
        for position, name in enumerate(node.input):
            plain = operator is None or operator.kind(position).startswith("Tensor")
            if name in names and (not plain or (node.op_type in _LOSSES and position == 2)):
                settings.add(names.index(name))
    return settings


def _compared(case: Case, network: fx.GraphModule, values: list[Any], settings: set[int]) -> GradientResult:
    random = torch.Generator().manual_seed(0)
    floating = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.dtype is torch.float64]
    moved = [i for i in floating if i not in settings]
    reason = ""
    for attempt in range(_TRIES):
        point = [_beside(v, attempt, random) if i in moved else v for i, v in enumerate(values)]
        ways = [torch.randn(point[i].shape, generator=random, dtype=torch.float64) for i in moved]
        slope = _autograd(network, point, moved, ways)
        if slope is None:
            return GradientResult(case, Slope.NONE)
        low, high = (_loss(network(*_along(point, moved, ways, sign * _STEP))).item() for sign in (-1, 1))
        difference = (high - low) / (2 * _STEP)
        if not isfinite(high) or not isfinite(low):
            return GradientResult(case, Slope.NONE, "its outputs are not finite")
        if abs(slope - difference) <= _ABSOLUTE + _RELATIVE * max(abs(slope), abs(difference)):
            return GradientResult(case, Slope.MATCH)
        reason = f"along a random direction {slope:.6g}, by differences {difference:.6g}"
    return GradientResult(case, Slope.DIFFERS, reason)


def _autograd(network: fx.GraphModule, point: Sequence[Any], moved: list[int], ways: list[Tensor]) -> float | None:
    """The derivative along the ways; None where no output depends on an input in a way that autograd sees."""
    leaves = {i: point[i].clone().requires_grad_() for i in moved}
    loss = _loss(network(*[leaves.get(i, value) for i, value in enumerate(point)]))
    if not leaves or not loss.requires_grad:
        return None
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return sum(float((g * way).sum()) for g, way in zip(gradients, ways, strict=True) if g is not None)


def _along(point: Sequence[Any], moved: list[int], ways: list[Tensor], step: float) -> list[Any]:
    shifts = dict(zip(moved, ways, strict=True))
    return [value + step * shifts[i] if i in shifts else value for i, value in enumerate(point)]


def _loss(outputs: Sequence[Any]) -> Tensor:
    """A sum of all floating outputs, each element with a weight of its own."""
    flat = [o for o in _tensors(outputs) if o.is_floating_point()]
    return sum((o.reshape(-1).double() @ _weights(o.numel()) for o in flat), torch.zeros((), dtype=torch.float64))


def _weights(count: int) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(count), dtype=torch.float64)


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    flat: list[Tensor] = []
    for value in values:
        flat += [value] if isinstance(value, Tensor) else _tensors(value or ())
    return flat


def _beside(value: Tensor, attempt: int, random: torch.Generator) -> Tensor:
    noise = torch.rand(value.shape, generator=random, dtype=torch.float64)
    return value + attempt * 1e-3 * (noise + 0.1)


def _double(value: Any) -> Any:
    if isinstance(value, list):
        return [_double(part) for part in value]
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
