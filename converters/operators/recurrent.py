"""RNN, GRU and LSTM, all versions: torch's own layers where they say the same, step by step elsewhere.

`output_sequence` of opset 1 only told a runtime what it could leave out, and is ignored. The step by step form holds
for other activations than the usual ones, `clip`, peepholes, `input_forget`, sequences of unequal length, and a GRU
whose reset gate comes before the linear map (ONNX's default).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import Ints, operator
from .recurrent_cells import Activation, Lengths, activations_of, run_direction, states, to_layout

_DIRECTIONS = {"forward": (False,), "foward": (False,), "reverse": (True,), "bidirectional": (False, True)}


@dataclass(frozen=True)
class _Layer:
    """What a node says about its layer, inputs turned to (steps, batch, features)."""

    x: Tensor
    w: Tensor
    r: Tensor
    b: Tensor | None
    backward: tuple[bool, ...]
    functions: list[Activation]  # those of the first direction, then those of the second
    clip: float
    lengths: Lengths | None
    usual: bool = field(default=False)  # whether torch's own layer could compute it

    @property
    def hidden(self) -> int:
        return self.r.shape[-1]

    def gates(self, d: int, recurrent_bias: bool = True) -> Tensor:
        """The input's part of each gate, (steps, batch, gates * hidden), with the bias."""
        if self.b is None:
            return F.linear(self.x, self.w[d])
        wb, rb = self.b[d].chunk(2)
        return F.linear(self.x, self.w[d], wb + rb if recurrent_bias else wb)

    def recurrent_bias(self, d: int) -> Tensor:
        return self.b[d].chunk(2)[1] if self.b is not None else self.r.new_zeros(self.r.shape[1])

    def activations(self, d: int) -> list[Activation]:
        count = len(self.functions) // len(self.backward)
        return self.functions[d * count : (d + 1) * count]

    def limited(self, x: Tensor) -> Tensor:
        return x.clamp(-self.clip, self.clip) if self.clip else x


def _layer(
    inputs: tuple[Tensor, Tensor, Tensor, Tensor | None, Ints | None],
    usual: Sequence[str],
    direction: str,
    activations: Sequence[str],
    shapes: tuple[Sequence[float], Sequence[float]],
    clip: float,
    layout: int,
) -> _Layer:
    x, w, r, b, sequence_lens = inputs
    x = x.transpose(0, 1) if layout else x
    if direction not in _DIRECTIONS:
        raise NotImplementedError(f"the direction {direction}")
    backward = _DIRECTIONS[direction]
    names = [name.lower() for name in activations] or [*usual] * len(backward)
    names = names[: len(usual) * len(backward)]  # RNN's default names both directions, whatever the direction is
    lengths = _lengths(x, sequence_lens)
    plain = names == [*usual] * len(backward) and not clip and lengths is None and direction != "reverse"
    return _Layer(x, w, r, b, backward, activations_of(names, *shapes), clip, lengths, plain)


def _lengths(x: Tensor, counts: Ints | None) -> Lengths | None:
    if counts is None or (not isinstance(counts, Tensor) and all(count == len(x) for count in counts)):
        return None
    return Lengths(torch.as_tensor(counts, device=x.device).long(), len(x))


def _native(layer: _Layer, order: Sequence[int]) -> list[Tensor]:
    """The weights as torch's layers take them: gates in torch's order, one list for all directions."""
    gates = len(order)
    rows = torch.cat([torch.arange(i * layer.hidden, (i + 1) * layer.hidden) for i in order]).to(layer.w.device)
    weights = []
    for d in range(len(layer.backward)):
        weights += [layer.w[d][rows], layer.r[d][rows]] if gates > 1 else [layer.w[d], layer.r[d]]
        if layer.b is not None:
            weights += [bias[rows] for bias in layer.b[d].chunk(2)]
    return weights


def _unpacked(layer: _Layer, y: Tensor) -> Tensor:
    """(steps, batch, directions * hidden) as (steps, directions, batch, hidden)."""
    return torch.unflatten(y, 2, (len(layer.backward), layer.hidden)).transpose(1, 2)


def _stacked(results: list[tuple[Tensor, tuple[Tensor, ...]]]) -> tuple[Tensor, tuple[Tensor, ...]]:
    finals = tuple(torch.stack(final) for final in zip(*(final for _, final in results), strict=True))
    return torch.stack([y for y, _ in results], 1), finals


@operator("RNN")
def rnn(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    sequence_lens: Ints | None = None,
    initial_h: Tensor | None = None,
    *,
    activations: tuple[str, ...] = (),
    activation_alpha: tuple[float, ...] = (),
    activation_beta: tuple[float, ...] = (),
    clip: float = 0.0,
    direction: str = "forward",
    hidden_size: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
) -> tuple[Tensor, ...]:
    """``h = f(x W' + h R' + b)`` over time."""
    shapes = (activation_alpha, activation_beta)
    layer = _layer((x, w, r, b, sequence_lens), ("tanh",), direction, activations, shapes, clip, layout)
    h = states(initial_h, layer.x, len(layer.backward), layer.hidden, layout)
    if layer.usual:
        bidirectional = len(layer.backward) == 2
        weights = _native(layer, (0,))
        # As in training: cuDNN gives gradients only then, and without dropout the values are the same.
        y, last = torch.rnn_tanh(layer.x, h.contiguous(), weights, b is not None, 1, 0.0, True, bidirectional, False)
        return to_layout(_unpacked(layer, y), (last,), layout)
    y, finals = _stacked([_rnn_direction(layer, d, h[d]) for d in range(len(layer.backward))])
    return to_layout(y, finals, layout)


def _rnn_direction(layer: _Layer, d: int, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    (f,) = layer.activations(d)

    def step(gate: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (f(layer.limited(gate + F.linear(state[0], layer.r[d]))),)

    return run_direction(step, layer.gates(d), (h,), layer.backward[d], layer.lengths)


@operator("GRU")
def gru(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    sequence_lens: Ints | None = None,
    initial_h: Tensor | None = None,
    *,
    activations: tuple[str, ...] = (),
    activation_alpha: tuple[float, ...] = (),
    activation_beta: tuple[float, ...] = (),
    clip: float = 0.0,
    direction: str = "forward",
    hidden_size: int = 0,
    layout: int = 0,
    linear_before_reset: int = 0,
    output_sequence: int = 0,
) -> tuple[Tensor, ...]:
    """``h = (1 - z) g(candidate) + z h`` over time, gates z (update) and r (reset)."""
    shapes = (activation_alpha, activation_beta)
    layer = _layer((x, w, r, b, sequence_lens), ("sigmoid", "tanh"), direction, activations, shapes, clip, layout)
    h = states(initial_h, layer.x, len(layer.backward), layer.hidden, layout)
    if layer.usual and linear_before_reset:
        bidirectional = len(layer.backward) == 2
        weights = _native(layer, (1, 0, 2))
        y, last = torch.gru(layer.x, h.contiguous(), weights, b is not None, 1, 0.0, True, bidirectional, False)
        return to_layout(_unpacked(layer, y), (last,), layout)
    y, finals = _stacked([_gru_direction(layer, d, h[d], linear_before_reset) for d in range(len(layer.backward))])
    return to_layout(y, finals, layout)


def _gru_direction(layer: _Layer, d: int, h: Tensor, linear_before_reset: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    f, g = layer.activations(d)
    gate_weights, candidate_weights = torch.split(layer.r[d], [2 * layer.hidden, layer.hidden])
    gate_bias, candidate_bias = torch.split(layer.recurrent_bias(d), [2 * layer.hidden, layer.hidden])

    def step(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = state
        xzr, xh = torch.split(x, [2 * layer.hidden, layer.hidden], 1)
        z, r = f(layer.limited(xzr + F.linear(h, gate_weights, gate_bias))).chunk(2, 1)
        if linear_before_reset:
            candidate = xh + r * F.linear(h, candidate_weights, candidate_bias)
        else:
            candidate = xh + F.linear(r * h, candidate_weights, candidate_bias)
        return ((1 - z) * g(layer.limited(candidate)) + z * h,)

    return run_direction(step, layer.gates(d, recurrent_bias=False), (h,), layer.backward[d], layer.lengths)


@operator("LSTM")
def lstm(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    sequence_lens: Ints | None = None,
    initial_h: Tensor | None = None,
    initial_c: Tensor | None = None,
    p: Tensor | None = None,
    *,
    activations: tuple[str, ...] = (),
    activation_alpha: tuple[float, ...] = (),
    activation_beta: tuple[float, ...] = (),
    clip: float = 0.0,
    direction: str = "forward",
    hidden_size: int = 0,
    input_forget: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
) -> tuple[Tensor, ...]:
    """``c = f c + i g(x, h)``, ``h = o tanh(c)`` over time, gates i (input), o (output) and f (forget)."""
    shapes, usual = (activation_alpha, activation_beta), ("sigmoid", "tanh", "tanh")
    layer = _layer((x, w, r, b, sequence_lens), usual, direction, activations, shapes, clip, layout)
    h = states(initial_h, layer.x, len(layer.backward), layer.hidden, layout)
    c = states(initial_c, layer.x, len(layer.backward), layer.hidden, layout)
    if layer.usual and p is None and not input_forget:
        bidirectional = len(layer.backward) == 2
        weights, start = _native(layer, (0, 2, 3, 1)), (h.contiguous(), c.contiguous())
        y, *last = torch.lstm(layer.x, start, weights, b is not None, 1, 0.0, True, bidirectional, False)
        return to_layout(_unpacked(layer, y), last, layout)
    results = [_lstm_direction(layer, d, (h[d], c[d]), p, input_forget) for d in range(len(layer.backward))]
    y, finals = _stacked(results)
    return to_layout(y, finals, layout)


def _lstm_direction(
    layer: _Layer, d: int, start: tuple[Tensor, Tensor], p: Tensor | None, input_forget: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    f, g, last = layer.activations(d)
    pi, po, pf = p[d].chunk(3) if p is not None else (0.0, 0.0, 0.0)  # peepholes: gates that see the cell

    def step(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        h, c = state
        i, o, forget, candidate = (x + F.linear(h, layer.r[d])).chunk(4, 1)
        i = f(layer.limited(i + pi * c))
        forget = 1 - i if input_forget else f(layer.limited(forget + pf * c))
        c = forget * c + i * g(layer.limited(candidate))
        return f(layer.limited(o + po * c)) * last(c), c

    return run_direction(step, layer.gates(d), start, layer.backward[d], layer.lengths)
