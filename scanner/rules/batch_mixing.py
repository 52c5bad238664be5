"""Answers of one example that depend on another's input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..findings import Finding, Severity
from ..gates import labels
from ..gates.batch import batch_gates
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["BatchMixing"]


@dataclass(frozen=True, kw_only=True)
class BatchMixing(Rule):
    """Examples of a batch are picked, ordered or written over by numbers that depend on their values.

    The first axis of the input is followed through the graph; Gather, Scatter, TopK and sums along it are told. Batch
    normalisation and quantisation with a range of the whole batch are not.

    Means: where a server puts the inputs of several users into one batch, one of them can read or steer the answers to
    the others.

    Confirm: put the same example into batches with different others, and compare its scores to the bit.

    Fix: do not use the file; until then, run it with a batch of one.

    False positives: models that sort or pack sequences of different lengths; layers of experts that collect the
    examples of each.

    Küchler et al. 2025, arXiv 2505.18323.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        for gate in batch_gates(file.flow, single=_takes_one(file)):
            yield self.finding(gate.switch.where, gate.message, gate.severity, labels(gate.path))


def _takes_one(file: AuditedFile) -> bool:
    """Whether the first axis of every input is fixed at 1."""
    constants = {tensor.name for tensor in file.proto.graph.initializer}
    shapes = [v.type.tensor_type.shape.dim for v in file.proto.graph.input if v.name not in constants]
    return bool(shapes) and all(dims and dims[0].dim_value == 1 for dims in shapes)
