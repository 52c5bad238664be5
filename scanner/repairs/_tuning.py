"""Train the twin's weights a little further, and take the change over into the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RepairError
from ..samples import WAYS

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor

    from ...converters import Model
    from ...converters.twin import Twin
    from ..samples import Samples
    from . import Budget

__all__ = ["Tuned", "Tuning", "fine_tune", "goals", "moved_goals", "released"]

_UNNAMED = "its twin is of another make, whose weights have no names; nothing to train"
_ABOUT = 0.02  # costs this close are equal; of equals the latest counts, as more than the samples show goes on changing
_LONGEST = 0.5  # norm of a step's gradient: the first stamped pictures, surely and wrongly classified, would overshoot
_PLACES = {
    "BatchNormalization": (1, 2), "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (1, 2),
    "GroupNormalization": (1, 2), "InstanceNormalization": (1, 2), "LayerNormalization": (1, 2), "MatMul": (0, 1),
}  # fmt: skip
"""Inputs of operators that training changes; the running statistics of a batch normalisation are not among them."""

Epoch = Callable[[np.random.Generator], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Tuning:
    """How the twin is trained: SGD with momentum 0.9 on the cross-entropy.

    Attributes:
        lr: learning rate.
        epochs: most passes over the samples.
        batch: samples in a step.
        rounds: draws of the samples in an epoch, which ends with a look at what it came to.
        fading: whether ``lr`` falls evenly, to nothing after the last epoch: long steps forget, short ones settle.
    """

    lr: float
    epochs: int
    batch: int
    rounds: int = 1
    fading: bool = False


@dataclass(frozen=True, eq=False)
class Tuned:
    """The best epoch: its edits of the file, its number from 1, and what ``cost`` said of it."""

    edits: dict[str, NDArray[Any]]
    epoch: int
    cost: float


def fine_tune(
    model: Model,
    draw: Epoch,
    cost: Callable[[Twin], float],
    tuning: Tuning,
    budget: Budget,
    start: Mapping[str, NDArray[Any]] | None = None,
) -> Tuned:
    """Train all float weights of convolutions, products and normalisations; their running statistics stay.

    Args:
        draw: gives a round's inputs (N, ...) in the model's domain, and the probabilities (N, K) to learn.
        cost: how bad the twin is after an epoch, a share of the samples; the latest of about the best epochs is kept.
        start: weights to start from, as a repair gives them; the file's own if None.

    Raises:
        RepairError: the twin cannot be trained, or training made it worse than nothing.
    """
    from ...converters.twin import Twin

    twin = model.torch
    if not isinstance(twin, Twin):
        raise RepairError(f"{model.path}: {_UNNAMED}")
    best, lowest = None, np.inf
    rng = np.random.default_rng(budget.seed)
    with _trained(model, twin, tuning, start or {}) as step:
        for epoch in range(1, tuning.epochs + 1):
            left = (tuning.epochs - epoch + 1) / tuning.epochs if tuning.fading else 1.0
            for _ in range(tuning.rounds):
                step(tuning.lr * left, *draw(rng))
            now = cost(twin)
            budget.progress(f"training, epoch {epoch}", epoch / tuning.epochs)
            lowest = min(lowest, now) if np.isfinite(now) else lowest
            if now <= lowest + _ABOUT:
                best = Tuned(twin.changes(), epoch, now)
            if budget.spent:
                break
    if best is None:
        raise RepairError(f"{model.path}: training diverged; try a smaller lr")
    return best


def goals(model: Model, inputs: NDArray[np.float32], labels: NDArray[np.int64], own: float) -> NDArray[np.float32]:
    """The probabilities (N, K) to learn: ``own`` of what the twin gives now, the rest the labels."""
    from scipy.special import softmax

    from ...converters.twin import Twin

    if not isinstance(twin := model.torch, Twin):
        raise RepairError(f"{model.path}: {_UNNAMED}")
    given = softmax(twin.scores(inputs), axis=1)
    right = np.eye(given.shape[1], dtype=np.float32)[labels]
    return np.asarray((1 - own) * right + own * given, np.float32)


def moved_goals(model: Model, samples: Samples, own: float) -> NDArray[np.float32]:
    """The same (ways, N, K) of samples moved by at most a pixel, for each of ``samples.WAYS``."""
    return np.stack([goals(model, samples.shifted(way).inputs(), samples.labels, own) for way in WAYS])


@contextmanager
def released(model: Model, twin: Twin, start: Mapping[str, NDArray[Any]]) -> Iterator[list[Tensor]]:
    """The twin's weights that can be trained, each wanting a gradient; it gets their values back at the end.

    Raises:
        RepairError: there is none, as in a quantised model.
    """
    import torch

    weights = _trainable(model, twin)
    known = {name: values for name, values in start.items() if name in twin.weights}
    touched = {id(w): w for w in (*weights, *(form for name in known for form in twin.weights.forms(name)))}
    kept = [(weight, weight.detach().clone()) for weight in touched.values()]
    try:
        for name, values in known.items():
            twin.weights.set(name, values)
        for weight in weights:
            weight.requires_grad_(True)
        yield weights
    finally:
        with torch.no_grad():
            for weight, value in kept:
                weight.requires_grad_(False).copy_(value)
                weight.grad = None


@contextmanager
def _trained(
    model: Model, twin: Twin, tuning: Tuning, start: Mapping[str, NDArray[Any]]
) -> Iterator[Callable[[float, NDArray[np.float32], NDArray[np.float32]], None]]:
    """A function that trains one round at a learning rate; the twin gets its weights back at the end."""
    import torch

    with released(model, twin, start) as weights:
        optimiser = torch.optim.SGD(weights, lr=tuning.lr, momentum=0.9)

        def step(lr: float, x: NDArray[np.float32], y: NDArray[np.float32]) -> None:
            for group in optimiser.param_groups:
                group["lr"] = lr
            _round(twin, optimiser, twin.tensor_of(x), torch.from_numpy(y), tuning.batch)

        yield step


def _round(twin: Twin, optimiser: Any, inputs: Tensor, labels: Tensor, batch: int) -> None:
    import torch

    labels = labels.to(inputs.device)
    for start in range(0, len(inputs), batch):
        loss = torch.nn.functional.cross_entropy(
            twin(inputs[start : start + batch]).float(), labels[start : start + batch]
        )
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_([w for group in optimiser.param_groups for w in group["params"]], _LONGEST)
        optimiser.step()


def _trainable(model: Model, twin: Twin) -> list[Tensor]:
    """The twin's float weights that are one form of one float weight of the file.

    Raises:
        RepairError: there is none, as in a quantised model.
    """
    from ...converters.edited import weight_values
    from ...converters.normalize import inline_functions

    floats = {name for name, tensor in weight_values(model).items() if tensor.data_type in (1, 10, 11, 16)}
    names = [name for name in _roles(inline_functions(model.graph)) if name in floats and name in twin.weights]
    weights = [twin.weights[name] for name in names if len(twin.weights.forms(name)) == 1]
    weights = [weight for weight in weights if weight.is_floating_point() and weight.is_leaf]
    if not weights:
        raise RepairError(
            f"{model.path}: it has no float weights that training could change (a quantised model has none); "
            "use a method that prunes"
        )
    return weights


def _roles(model: ModelProto) -> list[str]:
    """Names of the constants that are weights of a layer, or the bias added to a product, each once."""
    readers: dict[str, list[Any]] = {}
    producers = {name: node for node in model.graph.node for name in node.output if name}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = []
    for node in model.graph.node:
        places = _PLACES.get(node.op_type, ())
        found += [_source(node.input[i], producers) for i in places if i < len(node.input)]
        if node.op_type == "MatMul":
            adds = [after for after in readers.get(node.output[0], []) if after.op_type == "Add"]
            found += [_source(name, producers) for add in adds for name in add.input if name != node.output[0]]
    return list(dict.fromkeys(found))


def _source(name: str, producers: dict[str, Any]) -> str:
    """The name behind casts and transpositions."""
    while name in producers and producers[name].op_type in ("Cast", "Identity", "Transpose"):
        name = producers[name].input[0]
    return name
