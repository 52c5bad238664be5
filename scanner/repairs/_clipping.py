"""Upper bounds of activations: fitted on the twin, and put into the graph as Min nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor

from ...converters.graphs import copied, opset
from ...converters.twin import Twin
from ..errors import RepairError
from ._hooked import Hooked, along_channels

if TYPE_CHECKING:
    from onnx import ModelProto

    from ...converters import Model
    from . import Budget

__all__ = ["clipped", "fit_bounds"]


class Settings(Protocol):
    """What ``ClipActivations`` has."""

    @property
    def epochs(self) -> int: ...
    @property
    def lr(self) -> float: ...
    @property
    def cost(self) -> float: ...
    @property
    def agreement(self) -> float: ...
    @property
    def batch(self) -> int: ...


def fit_bounds(
    model: Model, inputs: NDArray[np.float32], tops: Mapping[str, NDArray[np.float32]], s: Settings, budget: Budget
) -> dict[str, NDArray[np.float32]]:
    """The smallest bounds (channels,) of named tensors under which the logits stay about what they are.

    Args:
        tops: where the bounds start.

    Raises:
        RepairError: the twin is of another make.
    """
    twin = model.torch
    if not isinstance(twin, Twin):
        raise RepairError(f"{model.path}: its twin is of another make, whose tensors have no names")
    values = twin.tensor_of(inputs)
    wanted = torch.from_numpy(twin.scores(inputs)).to(values.device)
    scale = wanted.std().clamp_min(1e-6)
    top = {name: torch.from_numpy(t).to(values.device, values.dtype) for name, t in tops.items()}
    shares = {name: torch.ones_like(t, requires_grad=True) for name, t in top.items()}
    optimiser = torch.optim.Adam(shares.values(), lr=s.lr)
    network, cost = Hooked(twin, {n: _bound(shares[n], top[n]) for n in top}), s.cost
    best = {name: share.detach().clone() for name, share in shares.items()}
    for epoch in range(s.epochs):
        _epoch(network, optimiser, values, wanted / scale, scale, cost, twin.batch or s.batch, shares)
        with torch.no_grad():
            given = torch.cat([network.logits(chunk) for chunk in _split(values, twin.batch or s.batch)])
            agrees = bool((given.argmax(1) == wanted.argmax(1)).float().mean() >= s.agreement)
        cost = cost * 1.2 if agrees else cost / 1.2
        if agrees:
            best = {name: share.detach().clone() for name, share in shares.items()}
        budget.progress("fitting bounds", (epoch + 1) / s.epochs)
        if budget.spent:
            break
    return {n: (best[n] * top[n]).cpu().numpy().astype(np.float32) for n in top}


def _epoch(
    network: Hooked, optimiser: Any, values: Tensor, wanted: Tensor, scale: Tensor, cost: float, batch: int,
    shares: Mapping[str, Tensor],
) -> None:  # fmt: skip
    for chunk, goal in zip(_split(values, batch), _split(wanted, batch), strict=True):
        size = sum(share.square().mean().sqrt() for share in shares.values())
        loss = cost * size / len(shares) + (network.logits(chunk) / scale - goal).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        with torch.no_grad():
            for share in shares.values():
                share.clamp_(0, 1)


def _split(values: Tensor, size: int) -> list[Tensor]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _bound(share: Tensor, top: Tensor) -> Callable[[Tensor], Tensor]:
    """Cuts a feature map (N, C, ...) off at share times top, both (C,)."""
    return lambda value: torch.minimum(value, along_channels(share * top, value, spatial=True))


def clipped(model: Model, bounds: Mapping[str, NDArray[np.float32]]) -> ModelProto:
    """A copy of the file's message with a Min node behind each of some tensors; all else stays.

    Raises:
        RepairError: an opset below 8, whose Min does not broadcast.
    """
    if opset(model.graph) < 8:
        raise RepairError(
            f"{model.path}: Min needs opset 8, the file has {opset(model.graph)}; convert it to a later one"
        )
    proto = copied(model.graph)
    for number, (name, bound) in enumerate(bounds.items()):
        place = next(i for i, node in enumerate(proto.graph.node) if name in node.output)
        producer = proto.graph.node[place]
        free, limit = f"{name}__unbounded_{number}", f"{name}__bound_{number}"
        producer.output[list(producer.output).index(name)] = free
        values = bound.astype(_dtype(model, name)).reshape(-1, 1, 1)
        proto.graph.initializer.append(numpy_helper.from_array(values, limit))
        proto.graph.node.insert(place + 1, helper.make_node("Min", [free, limit], [name], f"onnxray_bound_{number}"))
    return proto


def _dtype(model: Model, name: str) -> np.dtype[Any]:
    """The type that the file's input has; activations of a float16 model are float16."""
    kind = np.dtype(model.facts.input.dtype)
    return kind if kind.kind == "f" else np.dtype(np.float32)
