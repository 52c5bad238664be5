"""A test suite in JUnit's XML, for what shows tests in continuous integration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from ..answers import Answer, State
from ..contract import LIMITS, Contract
from ..findings import Label, Severity
from ..policy import Judgement, Policy, judge
from ..version import __version__
from . import Document
from ._moments import moment
from ._text import visible

__all__ = ["Junit"]

ALONE = "onnxray"  # suite of the models that belong to no group
LONGEST = 10_000  # characters of a line


@dataclass(frozen=True, kw_only=True)
class Junit(Document):
    """A suite for each group of models and a test for each model.

    A test fails for a verdict (or finding) at or above the bar, is an error where there is no verdict, and is skipped
    where the model still waits for its scan. What a user has accepted passes, and says so in the test's output.

    Attributes:
        fail_on: the mildest verdict that fails a test.
        fail_on_finding: the mildest static finding that fails a test, whatever the verdict; None for none.
        allow_inconclusive: a scan that could not decide passes.
    """

    fail_on: Literal["suspicious", "backdoored"] = "suspicious"
    fail_on_finding: Severity | None = None
    allow_inconclusive: bool = False

    def render(self, answers: Iterable[Answer]) -> Iterator[str]:
        """See ``Document.render``."""
        policy = Policy(
            fail_on=Label(self.fail_on),
            fail_on_finding=self.fail_on_finding,
            allow_inconclusive=self.allow_inconclusive,
        )
        suites: dict[str, _Suite] = {}
        for answer in answers:
            suites.setdefault(answer.group, _Suite()).add(answer, policy)
        yield '<?xml version="1.0" encoding="UTF-8"?>\n'
        yield f"<testsuites {_attributes(_total(suites.values()))}>\n"
        for group, suite in suites.items():
            yield suite.text(visible(group) or ALONE) + "\n"
        yield "</testsuites>\n"


@dataclass
class _Suite:
    """The tests of one group, and how they went."""

    tests: list[ElementTree.Element] = field(default_factory=list)
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    ended: str = ""

    def add(self, answer: Answer, policy: Policy) -> None:
        test = ElementTree.Element(
            "testcase",
            name=visible(answer.name),
            classname=visible(answer.group) or ALONE,
            time=f"{answer.seconds:.3f}",
        )
        judgement = judge(answer, policy)
        if answer.state is State.WAITING:
            self.skipped += 1
            ElementTree.SubElement(test, "skipped", message="not scanned yet")
        elif judgement is not Judgement.PASS:
            self.failures += judgement is Judgement.FOUND
            self.errors += judgement is Judgement.ERROR
            kind = "failure" if judgement is Judgement.FOUND else "error"
            told = ElementTree.SubElement(test, kind, message=_headline(answer), type=_kind(answer))
            told.text = "\n".join(_why(answer))
        ElementTree.SubElement(test, "system-out").text = "\n".join(_facts(answer))
        self.tests.append(test)
        self.seconds += answer.seconds
        ended = moment(answer.ended)
        self.ended = max(self.ended, f"{ended:%Y-%m-%dT%H:%M:%S}" if ended else "")

    def text(self, name: str) -> str:
        suite = ElementTree.Element("testsuite", {"name": name, **self.counts(), "skipped": str(self.skipped)})
        if self.ended:
            suite.set("timestamp", self.ended)
        properties = ElementTree.SubElement(suite, "properties")
        for key, value in (("onnxray.version", __version__), ("onnxray.limits", LIMITS)):
            ElementTree.SubElement(properties, "property", name=key, value=value)
        suite.extend(self.tests)
        ElementTree.indent(suite)
        return ElementTree.tostring(suite, encoding="unicode")

    def counts(self) -> dict[str, str]:
        return {
            "tests": str(len(self.tests)),
            "failures": str(self.failures),
            "errors": str(self.errors),
            "time": f"{self.seconds:.3f}",
        }


def _total(suites: Iterable[_Suite]) -> dict[str, str]:
    total = _Suite()
    for suite in suites:
        total.tests += suite.tests
        total.failures += suite.failures
        total.errors += suite.errors
        total.seconds += suite.seconds
    return {"name": "onnxray", **total.counts()}


def _attributes(values: dict[str, str]) -> str:
    """Of the root, which is written before its children are; all its values are our own."""
    return " ".join(f'{key}="{value}"' for key, value in values.items())


def _kind(answer: Answer) -> str:
    return answer.label.replace(" ", "-") if answer.report else visible(answer.code, 60) or "error"


def _headline(answer: Answer) -> str:
    targets = answer.report.verdict.targets if answer.report else ()
    towards = f" towards {', '.join(map(str, targets[:5]))}" if targets else ""
    return f"{visible(answer.name, 300)}: {answer.label}{towards}"


def _why(answer: Answer) -> Iterator[str]:
    if answer.report is None:
        yield visible(answer.why, LONGEST)
        return
    verdict = answer.report.verdict
    for code, sentence in zip(verdict.reasons, verdict.explanations, strict=False):
        yield f"{visible(code)}: {visible(sentence, LONGEST)}"
    for finding in answer.report.findings:
        place = visible(finding.location, LONGEST)
        yield f"{visible(finding.rule)} ({finding.severity}) at {place}: {visible(finding.message, LONGEST)}"


def _facts(answer: Answer) -> Iterator[str]:
    yield f"verdict: {answer.label}"
    yield f"sha256: {answer.sha256 or 'unknown'}"
    yield from (f"also called: {visible(name)}" for name in answer.names[1:])
    for code, s in sorted(answer.suppressed.items()):
        until = f" until {s.expires}" if s.expires else ""
        yield f"accepted{until}: {visible(code)}: {visible(s.reason, LONGEST)}"
    yield from _why(answer)
    if answer.report is not None:
        yield from _measured(answer.report)


def _measured(report: Contract) -> Iterator[str]:
    if report.evaluation:
        yield f"clean accuracy: {report.evaluation.clean_accuracy:.4f} of {report.evaluation.samples} samples"
        for target, rate in sorted(report.evaluation.attack_success_rate.items()):
            yield f"attack success, class {target}: {rate:.4f}"
        if report.evaluation.moving:
            yield f"attack success, every class moved: {report.evaluation.moving.rate:.4f}"
    for check in report.coverage:
        if check.status != "ran":
            yield f"{check.outcome}: {visible(check.check)}: {visible(check.why, LONGEST)}"
