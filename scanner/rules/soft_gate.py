"""A second way from the input to the scores, of arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..findings import Finding, Severity
from ..gates import labels
from ..gates.soft import soft_gates
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["SoftGate"]


@dataclass(frozen=True, kw_only=True)
class SoftGate(Rule):
    """A way from the input that learned next to nothing and is not linear joins the network near the scores.

    No comparison is needed for a gate: an exponential, a high power, a ramp behind a large offset, a saturating clip or
    a coarse quantiser is silent up to a point and loud beyond it. What is told is where the way goes: it reads at most
    5 % of the weights before the join, has steps that the network itself does not have, and after it comes at most one
    layer.

    Means: a backdoor in the architecture. That of Bober-Irizar et al. adds a pooled exponential of the input to the
    features, and outlives training from scratch.

    Confirm: look at what the way computes: does it match a pattern, and how large can it become beside the features or
    scores that it joins? A scan looks for an input on which it takes over.

    Fix: do not use the file; export the model anew from its source, and check that source: such a gate is in the code
    of the network. `onnxray repair` cuts one that a scan has proven.

    False positives: networks that give their input to a late layer again, on purpose.

    Bober-Irizar et al., "Architectural Backdoors in Neural Networks", CVPR 2023.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        for gate in soft_gates(file.flow):
            yield self.finding(gate.switch.where, gate.message, gate.severity, labels(gate.path))
