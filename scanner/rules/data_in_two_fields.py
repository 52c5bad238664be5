"""Tensors with two sets of values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..findings import Finding, Severity
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["DataInTwoFields"]

_TYPED = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
_MOST = 5


@dataclass(frozen=True, kw_only=True)
class DataInTwoFields(Rule):
    """A tensor has its values in `raw_data` and again in a typed field, or both in the file and outside it.

    Means: which of the two counts differs from reader to reader, so one tool audits numbers that another never uses.
    A file of 602 bytes with two sets of values passes ONNX's own full checker.

    Confirm: read both; onnxruntime takes `raw_data`.

    Fix: do not use the file; export the model again.

    False positives: none known; no exporter writes both.
    """

    severity: ClassVar[Severity] = Severity.HIGH
    precision: ClassVar[Precision] = Precision.VERY_HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        told = 0
        for tensor in file.survey.tensors:
            places = [name for name in ("raw_data", *_TYPED) if tensor.size(name)]
            if tensor.small_integer("data_location") == 1 and tensor.messages("external_data"):
                places.append("external data")
            if len(places) > 1 and told < _MOST:
                told += 1
                where = f"tensor {one_line(tensor.text('name'), 80)!r}"
                yield self.finding(where, f"{where} has values in {' and in '.join(places)}.")
