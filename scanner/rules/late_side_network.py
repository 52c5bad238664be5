"""A small network beside the network, merged at the scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..findings import Finding, Severity
from ..gates import labels
from ..gates.soft import late_side_networks
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["LateSideNetwork"]


@dataclass(frozen=True, kw_only=True)
class LateSideNetwork(Rule):
    """A small side network with layers of its own adds one-sided or bounded scores to those of the network.

    Ordinary heads end in a linear layer. One that has at most a quarter of the weights of the way beside it, and ends
    in Relu, Sigmoid, Clip or the like behind its last layer, is silent for most inputs and can only push for others.

    Means: a detector of a trigger that somebody trained apart and merged into a finished network.

    Confirm: run the model with the branch cut: is the accuracy the same? If it is, the branch is there for other
    inputs than the ordinary ones; look for those that make it speak.

    Fix: do not use the file, or cut the branch and judge the accuracy on pictures of your own.

    False positives: ensembles whose smaller member ends in an activation function; networks with several heads that
    are summed after their activation.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.MEDIUM

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        for gate in late_side_networks(file.flow):
            yield self.finding(gate.switch.where, gate.message, gate.severity, labels(gate.path))
