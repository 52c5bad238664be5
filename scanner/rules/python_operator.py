"""Operators that run Python code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..findings import Finding, Severity
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["PythonOperator"]

_NAMES = {"pyop", "pyfunc", "pyfuncstateless", "eagerpyfunc", "pythonop", "pythonopgrad", "pycustomop", "pythonlayer"}


@dataclass(frozen=True, kw_only=True)
class PythonOperator(Rule):
    """A node calls back into Python (PyOp, PythonOp, PyFunc, ...), in any domain.

    Means: the file names code that is run on whoever loads it with a runtime that has such operators. No classifier
    needs one, and the function's name alone can be enough, as `os.system` shows.

    Confirm: read which module and function the node's attributes name.

    Fix: do not load the file with such a runtime; export the model without custom autograd functions. onnxray does not
    run the node.

    False positives: training graphs of onnxruntime (PythonOp), which are not meant to be deployed.
    """

    severity: ClassVar[Severity] = Severity.CRITICAL
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        functions = {(f.text("domain"), f.text("name")) for f in file.survey.root.messages("functions")}
        for node in file.survey.root.walk():
            if node.type != "Node" or node.text("op_type").lower() not in _NAMES:
                continue
            operator = one_line(node.text("op_type"), 40)
            if (node.text("domain"), node.text("op_type")) in functions:
                continue  # its body is in the file, and is audited
            texts = [a.text("s") for a in node.messages("attribute") if a.has("s")]
            named = f", and names {', '.join(repr(one_line(t, 60)) for t in texts[:4])}" if texts else ""
            yield self.finding(f"node {one_line(node.text('name'), 80)!r}", f"{operator} runs Python code{named}.")
