"""If, Loop, Scan and SequenceMap: their bodies are functions from tensors to a tuple of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import Number, operator

Body = Callable[..., tuple[Any, ...]]


@operator("If")
def if_(cond: Number, *, else_branch: Body, then_branch: Body) -> tuple[Any, ...]:
    """Run one of two bodies."""
    return then_branch() if bool(cond) else else_branch()


@operator("Loop")
def loop(
    m: Number | None = None, cond: Number | None = None, *initial: Any, body: Body, _outputs: int
) -> tuple[Any, ...]:
    """Run a body over and over, at most `m` times and as long as its condition holds.

    Raises:
        NotImplementedError: neither a number of trips nor a condition: it would never end.
    """
    if m is None and cond is None:
        raise NotImplementedError("a loop without an end")
    trips = None if m is None else int(m)
    go = cond is None or bool(cond)
    device = next((value.device for value in initial if isinstance(value, Tensor)), None)
    carried, scanned = list(initial), [[] for _ in range(_outputs - len(initial))]  # type: list[Any], list[list[Any]]
    i = 0
    while go and (trips is None or i < trips):
        keep, *results = body(torch.tensor(i, device=device), torch.tensor(True, device=device), *carried)
        carried = results[: len(initial)]
        for rows, row in zip(scanned, results[len(initial) :], strict=False):
            rows.append(row)
        go, i = cond is None or bool(keep), i + 1
    if i == 0 and scanned:
        return (*carried, *_no_rows(body, carried, len(scanned), device))
    return (*carried, *(torch.stack(rows) for rows in scanned))


def _no_rows(body: Body, carried: Sequence[Any], count: int, device: torch.device | None) -> list[Tensor]:
    """Empty scan outputs of the shape that one trip would have given, where the body stands a trial."""
    try:
        with torch.no_grad():
            results = body(torch.tensor(0, device=device), torch.tensor(True, device=device), *carried)
    except (IndexError, RuntimeError, ValueError):
        return [torch.zeros(0, device=device) for _ in range(count)]
    return [row.new_zeros((0, *row.shape)) for row in results[1 + len(carried) :]]


@operator("Scan", since=9)
def scan(
    *values: Tensor,
    body: Body,
    num_scan_inputs: int,
    scan_input_axes: tuple[int, ...] = (),
    scan_input_directions: tuple[int, ...] = (),
    scan_output_axes: tuple[int, ...] = (),
    scan_output_directions: tuple[int, ...] = (),
    _outputs: int,
) -> tuple[Tensor, ...]:
    """Run a body over the slices of its last inputs; the first ones are states that go from step to step."""
    split = len(values) - num_scan_inputs
    inputs = values[split:]
    axes, turned = _padded(scan_input_axes, num_scan_inputs), _padded(scan_input_directions, num_scan_inputs)
    slices = [x.flip(axis) if back else x for x, axis, back in zip(inputs, axes, turned, strict=True)]
    state, rows = _run(body, values[:split], [x.unbind(axis) for x, axis in zip(slices, axes, strict=True)])
    count = _outputs - split
    out_axes, out_turned = _padded(scan_output_axes, count), _padded(scan_output_directions, count)
    outputs = (torch.stack(row, axis) for row, axis in zip(rows, out_axes, strict=True))
    flipped = (y.flip(axis) if back else y for y, axis, back in zip(outputs, out_axes, out_turned, strict=True))
    return (*state, *flipped)


@operator("Scan", since=8)
def scan_of_batches(
    sequence_lens: Tensor | None,
    *values: Tensor,
    body: Body,
    num_scan_inputs: int,
    directions: tuple[int, ...] = (),
    _outputs: int,
) -> tuple[Tensor, ...]:
    """Scan along axis 1, each row of the batch by itself and over its own length; zeros behind its end."""
    split = len(values) - num_scan_inputs
    steps, turned = values[-1].shape[1], _padded(directions, num_scan_inputs)
    lengths = [steps] * len(values[-1]) if sequence_lens is None else [int(n) for n in sequence_lens.tolist()]
    results = []
    for row, length in enumerate(lengths):
        slices = [
            x[row, :length].flip(0) if b else x[row, :length] for x, b in zip(values[split:], turned, strict=True)
        ]
        state, rows = _run(body, [x[row] for x in values[:split]], [x.unbind(0) for x in slices])
        results.append([*state, *(_filled(torch.stack(outputs), steps) for outputs in rows)])
    return tuple(torch.stack(parts) for parts in zip(*results, strict=True))


def _run(
    body: Body, state: Sequence[Tensor], slices: Sequence[Sequence[Tensor]]
) -> tuple[Sequence[Tensor], list[tuple[Tensor, ...]]]:
    """The final state, and for each scan output its rows.

    Raises:
        NotImplementedError: an axis without a slice, whose outputs have no shape.
    """
    rows = []
    for step in zip(*slices, strict=True):
        results = body(*state, *step)
        state = results[: len(state)]
        rows.append(results[len(state) :])
    if not rows:
        raise NotImplementedError("a scan over an empty axis")
    return state, list(zip(*rows, strict=True))


def _padded(values: tuple[int, ...], count: int) -> tuple[int, ...]:
    return values or (0,) * count


def _filled(x: Tensor, steps: int) -> Tensor:
    return torch.cat([x, x.new_zeros(steps - len(x), *x.shape[1:])]) if len(x) < steps else x


@operator("SequenceMap", since=17)
def sequence_map(input_sequence: list[Tensor], *additional: Any, body: Body, _outputs: int) -> tuple[Any, ...]:
    """Run a body on each element of a sequence; further sequences go along, tensors are the same for all."""
    results = [
        body(x, *(more[i] if isinstance(more, list | tuple) else more for more in additional))
        for i, x in enumerate(input_sequence)
    ]
    return tuple([row[i] for row in results] for i in range(_outputs))
