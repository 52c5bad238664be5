"""Weights that are no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..findings import Finding, Severity
from . import Precision, Rule
from ._weights import bytes_of, nonfinite

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["NonfiniteWeights"]

_MULTIPLY = {"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization"}
_MOST = 5


@dataclass(frozen=True, kw_only=True)
class NonfiniteWeights(Rule):
    """Constants with NaN anywhere, or with infinite values in what a layer multiplies by.

    Means: the file is damaged, or made to answer the same whatever it is shown; a scan refuses it, as nothing measured
    on such a model says anything.

    Confirm: load the initializer and count.

    Fix: get the file again, or export it again from weights that are finite.

    False positives: infinite constants in masks of attention and in paddings are usual, and not meant.
    """

    severity: ClassVar[Severity] = Severity.MEDIUM
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        nodes = (m for m in file.survey.root.walk() if m.type == "Node" and m.text("op_type") in _MULTIPLY)
        multiplied = {name for node in nodes for name in node.texts("input")}
        told = 0
        for tensor in file.survey.tensors:
            missing, infinite = nonfinite(tensor, bytes_of(file, tensor))
            infinite *= tensor.text("name") in multiplied
            if (missing or infinite) and told < _MOST:
                told += 1
                where = f"tensor {one_line(tensor.text('name'), 80)!r}"
                yield self.finding(
                    where, f"{where} has {missing:,} values that are NaN and {infinite:,} infinite ones."
                )
