"""What RNN, GRU and LSTM have in common: activations by name, directions, layouts and sequences of unequal length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

__all__ = ["Activation", "Lengths", "activations_of", "run_direction", "states", "to_layout"]

Activation = Callable[[Tensor], Tensor]
# A step: the input's part of the gates (batch, gates * hidden) and the states so far give the new states, output first.
Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]

_PLAIN: dict[str, Activation] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "softsign": F.softsign,
    "softplus": F.softplus,
}


def _affine(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * x + beta


def _scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * torch.tanh(beta * x)


def _hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)


def _thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x > alpha, x, torch.zeros_like(x))


def _elu(x: Tensor, alpha: float) -> Tensor:
    return F.elu(x, alpha)


def _leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return F.leaky_relu(x, alpha)


# Name -> function and its parameters with their defaults; None where the standard and onnxruntime do not agree on one.
_SHAPED: dict[str, tuple[Callable[..., Tensor], dict[str, float | None]]] = {
    "affine": (_affine, {"alpha": None, "beta": None}),
    "scaledtanh": (_scaled_tanh, {"alpha": None, "beta": None}),
    "hardsigmoid": (_hard_sigmoid, {"alpha": 0.2, "beta": 0.5}),
    "thresholdedrelu": (_thresholded_relu, {"alpha": None}),
    "elu": (_elu, {"alpha": 1.0}),
    "leakyrelu": (_leaky_relu, {"alpha": 0.01}),
}


def activations_of(names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]) -> list[Activation]:
    """Each activation by its ONNX name; those that have a parameter take it from the lists in turn.

    Raises:
        NotImplementedError: a name that ONNX does not list, or one without a parameter that it needs.
    """
    given = {"alpha": iter(alphas), "beta": iter(betas)}
    return [_activation(name.lower(), given) for name in names]


def _activation(name: str, given: dict[str, Iterator[float]]) -> Activation:
    if name in _PLAIN:
        return _PLAIN[name]
    if name not in _SHAPED:
        raise NotImplementedError(f"the activation {name}")
    function, defaults = _SHAPED[name]
    parameters = {parameter: next(given[parameter], default) for parameter, default in defaults.items()}
    if missing := [parameter for parameter, value in parameters.items() if value is None]:
        raise NotImplementedError(f"the activation {name} without {missing[0]}")
    return partial(function, **parameters)


@dataclass(frozen=True)
class Lengths:
    """How long each sequence of a batch is, for a run over `steps` steps.

    Attributes:
        counts: (batch,), whole numbers.
        steps: length of the time axis.
    """

    counts: Tensor
    steps: int

    def reversed(self, x: Tensor) -> Tensor:
        """Turn round the valid part of each sequence of (steps, batch, ...)."""
        time = torch.arange(self.steps, device=x.device)[:, None]
        order = torch.where(time < self.counts, self.counts - 1 - time, time)
        return x.gather(0, order.reshape(*order.shape, *[1] * (x.dim() - 2)).expand_as(x))

    def valid(self, step: int) -> Tensor:
        """Which sequences are still running, as (batch, 1)."""
        return (step < self.counts)[:, None]


def run_direction(
    step: Step, gates: Tensor, initial: tuple[Tensor, ...], backward: bool, lengths: Lengths | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a step over time in one direction.

    Args:
        step: see `Step`.
        gates: (steps, batch, gates * hidden), the input's part of each gate.
        initial: states, each (batch, hidden).
        backward: from the last step to the first.
        lengths: None if all sequences fill the time axis.

    Returns:
        The outputs (steps, batch, hidden) in order of time, zero behind a sequence's end, and the final states.
    """
    gates = _turned(gates, lengths) if backward else gates
    state, outputs = initial, []
    for i, x in enumerate(gates):
        new = step(x, state)
        if lengths:
            running = lengths.valid(i)
            outputs.append(torch.where(running, new[0], torch.zeros_like(new[0])))
            state = tuple(torch.where(running, n, s) for n, s in zip(new, state, strict=True))
        else:
            outputs.append(new[0])
            state = new
    y = torch.stack(outputs) if outputs else gates.new_zeros(0, *initial[0].shape)
    return (_turned(y, lengths) if backward else y), state


def _turned(x: Tensor, lengths: Lengths | None) -> Tensor:
    return lengths.reversed(x) if lengths else x.flip(0)


def states(value: Tensor | None, like: Tensor, directions: int, hidden: int, layout: int) -> Tensor:
    """An initial state as (directions, batch, hidden) for inputs (steps, batch, ...): zeros if there is none.

    A state of batch 1 stands for every batch.
    """
    if value is None:
        return like.new_zeros(directions, like.shape[1], hidden)
    value = value.transpose(0, 1) if layout else value
    return value.expand(directions, like.shape[1], hidden)


def to_layout(y: Tensor, finals: Sequence[Tensor], layout: int) -> tuple[Tensor, ...]:
    """Outputs (steps, directions, batch, hidden) and final states (directions, batch, hidden) in the node's layout."""
    if not layout:
        return (y, *finals)
    return (y.permute(2, 0, 1, 3), *(final.transpose(0, 1) for final in finals))
