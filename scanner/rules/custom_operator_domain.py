"""Operators that are neither ONNX's own nor functions of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...converters.messages import one_line
from ..findings import Finding, Severity
from . import Precision, Rule

if TYPE_CHECKING:
    from ..audited_file import AuditedFile

__all__ = ["CustomOperatorDomain"]

_OWN = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training")
# Operators of runtimes and research tools whose code is public.
_KNOWN = (
    "com.microsoft",
    "com.ms.internal.nhwc",
    "qonnx.custom_op",
    "finn.custom_op",
    "onnx.brevitas",
    "pkg.onnxscript",
)


@dataclass(frozen=True, kw_only=True)
class CustomOperatorDomain(Rule):
    """Nodes whose operator is of a domain that is not ONNX's own; its code is not in the file.

    Local functions have domains of their own, too, and are not meant: their bodies are in the file and are audited.
    Domains of onnxruntime (com.microsoft) and of public quantisation tools are a note.

    Means: what the network does there cannot be said from the file. Whoever runs it has to load a library that comes
    with it or is named by its author, and a library can do anything. onnxray never loads one, so a scan of such a model
    stays inconclusive.

    Confirm: find out who publishes the operator's code, and read it.

    Fix: export the model with ONNX's own operators.

    False positives: operators of an in-house or research tool that you trust; the rule cannot know them.
    """

    severity: ClassVar[Severity] = Severity.MEDIUM
    precision: ClassVar[Precision] = Precision.HIGH

    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """See ``Rule.check``."""
        root = file.survey.root
        functions = {(f.text("domain"), f.text("name")) for f in root.messages("functions")}
        used = Counter(
            (node.text("domain"), node.text("op_type")) for node in root.walk() if node.type == "Node"
        )  # fmt: skip
        domains: dict[str, Counter[str]] = {}
        for (domain, operator), count in used.items():
            if domain not in _OWN and (domain, operator) not in functions:
                domains.setdefault(domain, Counter())[operator] += count
        for domain, operators in domains.items():
            known = any(domain == name or domain.startswith(f"{name}.") for name in _KNOWN)
            shown = ", ".join(f"{one_line(o, 40)} ({n})" for o, n in operators.most_common(5))
            yield self.finding(
                f"domain {one_line(domain, 60)!r}",
                f"{operators.total()} nodes are of the domain {one_line(domain, 60)!r}, whose code is not in the file: "
                f"{shown}.",
                Severity.NOTE if known else None,
            )
