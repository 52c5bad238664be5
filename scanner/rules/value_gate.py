"""A decision on the input's values that switches the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..findings import Finding, Severity
from ..gates import labels
from ..gates.hard import HardGates
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["ValueGate"]


@dataclass(frozen=True, kw_only=True)
class ValueGate(Rule):
    """A comparison or step function of the input's values switches what the network has worked out.

    Values of the input are followed through functions, branches, loops and the defaults of functions' attributes;
    what only depends on the input's shape is not. A decision (Greater, Equal, Sign, Floor, ArgMax, IsNaN, a cast to
    whole numbers, ...) is told where its outcome chooses in Where or If, rules a Loop, is an index of Gather or
    Scatter, or is multiplied with or added to something else. It is high where the decision reads next to nothing of
    what was learned and yet acts on the scores, or where a constant replaces them; on learned features it is low.

    Means: a backdoor that needs no training: a few pixels decide, and the network has no say. It survives fine-tuning
    and conversion, and a search by gradients does not see it, as a comparison has none.

    Confirm: follow the path node by node in a graph viewer: what is compared with what, and what takes the place of the
    scores? A scan looks for an input that flips the gate, and shows the class before and after.

    Fix: do not use the file; export the model anew from its source. `onnxray repair` freezes a gate that a scan has
    proven, so that the answers to all other inputs stay the same to the bit.

    False positives: conditional computation on raw pixels. Activation functions by comparison, masks of attention,
    preprocessing, quantisation, detectors and trees are known, and are at most a note.

    Küchler et al. 2025, arXiv 2505.18323; HiddenLayer 2024, "ShadowLogic".
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        for gate in HardGates(file.flow):
            yield self.finding(gate.switch.where, gate.message, gate.severity, labels(gate.path))
