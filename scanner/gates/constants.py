"""Constants shaped like the scores that single out one class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..dataflow import ABSENT, Flow, Step
from ..dataflow.operators import learns

__all__ = ["odd_constants"]

FEWEST = 3  # classes: of two numbers neither is odd
LOUD = 1.0  # smallest difference that matters to scores


def odd_constants(flow: Flow, classes: int) -> Iterator[tuple[Step, str]]:
    """Each constant with one number for each class, all alike but one, that no layer adds as its bias.

    Yields:
        the step that reads it, and what is odd about it, in words.
    """
    if classes < FEWEST:
        return
    for step in flow.program.steps:
        if learns(step.op) and not _spreads(flow, step):
            continue
        for read in step.reads:
            if read != ABSENT and flow.size(read) == classes and (words := _oddity(flow, read, classes)):
                yield step, words


def _spreads(flow: Flow, step: Step) -> bool:
    """Whether a matrix multiplication has a matrix of one row."""
    protos = [flow.program.constants.get(read) for read in step.reads]
    return any(proto is not None and len(proto.dims) == 2 and proto.dims[0] == 1 for proto in protos)


def _oddity(flow: Flow, tensor: int, classes: int) -> str:
    values = flow.constant(tensor)
    if values is None or values.dtype.kind not in "fiu" or values.shape[-1:] != (classes,):
        return ""
    row = values.astype(np.float64).ravel()
    numbers, counts = np.unique(row, return_counts=True)
    if len(numbers) != 2 or counts.min() != 1 or not np.ptp(numbers) >= LOUD:
        return ""
    odd = numbers[counts.argmin()]
    return f"{odd:g} for class {int((row == odd).argmax())} and {numbers[counts.argmax()]:g} for every other"
