"""Torch against onnxruntime: a twin that disagrees is not used."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Parity"]


@dataclass(frozen=True)
class Parity:
    """How far the torch twin is from onnxruntime.

    Attributes:
        max_difference: largest absolute difference of a logit over all inputs compared.
        logit_scale: largest absolute logit that onnxruntime gave, the unit of ``relative``.
        agreement: share of inputs on which both name the same class, in [0, 1].
        inputs: how many inputs were compared (random and real).
        tolerance: the largest ``relative`` that passes.
    """

    max_difference: float
    logit_scale: float
    agreement: float
    inputs: int
    tolerance: float

    @property
    def relative(self) -> float:
        """Largest difference in units of the logit scale."""
        return self.max_difference / self.logit_scale if self.logit_scale else self.max_difference
