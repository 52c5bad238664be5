"""SARIF 2.1.0, for code scanning and for viewers of findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..answers import Answer
from ..contract import LIMITS
from ..version import __version__
from . import Document
from ._json import dumps
from ._places import BASES
from ._sarif_results import results_of
from ._sarif_rules import Rules
from ._sarif_run import NOTIFICATIONS, artifacts_of, notifications_of, span

__all__ = ["Sarif"]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
EXITS = {
    0: "nothing at or above the bar was found",
    1: "a verdict or finding at or above the bar",
    2: "an error, or a model that could not be judged",
    3: "there was nothing to scan",
    4: "wrong use",
}


@dataclass(frozen=True, kw_only=True)
class Sarif(Document):
    """One run: a result for each finding and each verdict, an artifact for each model.

    A backdoored or suspicious model is a result of kind "fail", one without a verdict "open". Every model, clean ones
    included, is among the artifacts with its hash and its verdict.

    Attributes:
        passes: also give a result of kind "pass" for each clean model. GitHub takes every result for a problem.
        suppressed: also give the results that somebody has accepted, with their ``suppressions``. GitHub does not
            read these; leave such results out for it.
        category: ``automationDetails.id``, by which GitHub tells several uploads for one commit apart.
        exit_code: of the command; None where it is not known.
    """

    passes: bool = False
    suppressed: bool = True
    category: str = ""
    exit_code: int | None = None

    def render(self, answers: Iterable[Answer]) -> Iterator[str]:
        """See ``Document.render``."""
        run = _Run()
        for answer in answers:
            run.add(answer, self._shown)
        yield dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run.written(self)]}) + "\n"

    def _shown(self, result: dict[str, Any]) -> bool:
        return (self.passes or result["kind"] != "pass") and (self.suppressed or not result["suppressions"])


@dataclass
class _Run:
    """What is kept of the answers that have passed."""

    rules: Rules = field(default_factory=Rules)
    results: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    notifications: list[dict[str, Any]] = field(default_factory=list)
    spans: list[tuple[str, str]] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    complete: bool = True

    def add(self, answer: Answer, shown: Callable[[dict[str, Any]], bool]) -> None:
        artifacts = list(artifacts_of(answer, len(self.artifacts)))
        place = artifacts[0]["location"]
        self.artifacts += artifacts
        self.results += [result for result in results_of(answer, place, self.rules) if shown(result)]
        self.notifications += notifications_of(answer, place, self.rules)
        self.spans += [found for found in [span(answer)] if found]
        self.labels[answer.label] += 1
        self.complete = self.complete and answer.report is not None

    def written(self, options: Sarif) -> dict[str, Any]:
        driver = {
            "name": "onnxray",
            "version": __version__,
            "semanticVersion": __version__,
            "shortDescription": {"text": "Scans ONNX classifiers for backdoors."},
            "fullDescription": {"text": LIMITS},
            "rules": self.rules.descriptors,
            "notifications": NOTIFICATIONS,
        }
        return {
            "tool": {"driver": driver},
            **({"automationDetails": {"id": options.category}} if options.category else {}),
            "language": "en",
            "invocations": [self._invocation(options.exit_code)],
            "originalUriBaseIds": BASES,
            "artifacts": self.artifacts,
            "results": self.results,
            "properties": {"verdicts": dict(sorted(self.labels.items())), "limits": LIMITS},
        }

    def _invocation(self, exit_code: int | None) -> dict[str, Any]:
        told: dict[str, Any] = {"executionSuccessful": self.complete}
        if exit_code is not None:
            told |= {"exitCode": exit_code, "exitCodeDescription": EXITS.get(exit_code, "interrupted")}
        if self.spans:
            told |= {"startTimeUtc": min(self.spans)[0], "endTimeUtc": max(end for _, end in self.spans)}
        return told | {"toolExecutionNotifications": self.notifications}
