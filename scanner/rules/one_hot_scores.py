"""A constant with one number a class that singles out one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..findings import Finding, Severity
from ..gates.constants import odd_constants
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["OneHotScores"]


@dataclass(frozen=True, kw_only=True)
class OneHotScores(Rule):
    """A constant has one number for each class, all of them alike but one.

    Biases of layers differ from class to class. A row of scores that favours a single class is what a backdoor writes
    over the network's answer, or adds to it.

    Means: by itself, that somebody wrote it by hand; together with a gate, which class the backdoor is after.

    Confirm: see what reads the constant, and when it takes part in the answer.

    Fix: see the gate that uses it; without one, ask the author what it is for.

    False positives: a class that is switched off or weighed on purpose, such as "background".
    """

    severity: ClassVar[Severity] = Severity.MEDIUM
    precision: ClassVar[Precision] = Precision.MEDIUM

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        for step, words in odd_constants(file.flow, _classes(file)):
            yield self.finding(step.where, f"a constant of {step.op} has {words}")


def _classes(file: AuditedFile) -> int:
    """The size of the first output's last axis; 0 if it is not fixed."""
    for output in file.proto.graph.output[:1]:
        dims = output.type.tensor_type.shape.dim
        return dims[-1].dim_value if dims else 0
    return 0
