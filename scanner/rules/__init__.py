"""Static rules, one a file: each reads the file and tells what it found; none runs it and none decides.

A rule's file name is its id (``value_gate.py`` -> ``value-gate``), named after the pattern that it finds. Rules import
neither torch nor onnxruntime, and onnx inside functions only, so that ``onnxray explain`` stays quick. Code that
several rules share stands in modules beside this folder or in private ones here (``_name.py``).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from inspect import cleandoc
from typing import TYPE_CHECKING, ClassVar

from ..findings import Finding

if TYPE_CHECKING:
    from ..audited_file import AuditedFile
    from ..findings import Severity

__all__ = ["HEADINGS", "Precision", "Rule"]

HEADINGS = ("Means", "Confirm", "Fix", "False positives")
"""Paragraphs that every rule's docstring has, each starting with its heading and a colon."""


class Precision(StrEnum):
    """How often a finding of the rule is what it says, in rising order (the words are those of SARIF's readers)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very-high"


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """The contract of a rule: a frozen dataclass whose fields are its options and whose docstring is its documentation.

    The docstring's first line says what is found. Then come the paragraphs of ``HEADINGS``: *Means* (why it matters),
    *Confirm* (how a person makes sure), *Fix*, and *False positives* (what harmless files can look like it).

    A rule that breaks is told as a check that failed, never as a pass: raise, do not swallow. It yields few findings:
    what occurs a thousand times is one finding with a count.

    Attributes:
        severity: of its findings, unless one says otherwise; the worst that it gives.
        precision: see ``Precision``.
    """

    severity: ClassVar[Severity]
    precision: ClassVar[Precision]

    @abstractmethod
    def check(self, file: AuditedFile) -> Iterator[Finding]:
        """Tell what is found in the file, mostly through ``self.finding``."""

    @property
    def id(self) -> str:
        """The module's name with dashes."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    def finding(
        self, location: str, message: str, severity: Severity | None = None, path: Sequence[str] = ()
    ) -> Finding:
        """One finding of this rule.

        Args:
            location: where in the file, such as ``scope.locate(node)`` or "initializer 'w'"; "file" for the whole.
            message: what is there, in a sentence with its figures; text from the file through ``one_line``.
            severity: the rule's own if left out.
            path: labels of nodes from the input to the effect, where there is such a path.
        """
        return Finding(self.id, severity or self.severity, location, message, tuple(path))

    @classmethod
    def sections(cls) -> dict[str, str]:
        """The docstring in parts: "" -> what is found and why, then each of ``HEADINGS`` -> its paragraph."""
        parts = re.split(rf"^({'|'.join(HEADINGS)}):\s*", cleandoc(cls.__doc__ or ""), flags=re.MULTILINE)
        texts = {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
        return {heading: text.strip() for heading, text in texts.items()}
