"""What fails: judges answers once what a user accepts is marked in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from .answers import Answer, State, Suppression
from .findings import Label, Severity
from .suppressions import Listed, accept, accepted, codes, notes

__all__ = ["Judgement", "Judging", "Policy", "accepted", "judge"]

RANKS = (Label.SUSPICIOUS, Label.BACKDOORED)
SEVERITIES = tuple(Severity)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What fails.

    Attributes:
        fail_on: the mildest verdict that counts as found: "suspicious" or "backdoored".
        fail_on_finding: the mildest static finding that counts as found, whatever the verdict; None for none.
        exit_zero: what was found does not count; what could not be checked still does.
        allow_inconclusive: a scan that could not decide passes.
        suppressions: what is accepted.
    """

    fail_on: Label = Label.SUSPICIOUS
    fail_on_finding: Severity | None = None
    exit_zero: bool = False
    allow_inconclusive: bool = False
    suppressions: tuple[Listed, ...] = ()


class Judgement(IntEnum):
    """What an answer means for the exit code, in rising order of weight."""

    PASS = 0
    ERROR = 1
    FOUND = 2


def judge(answer: Answer, policy: Policy) -> Judgement:
    """Whether a model passes, given what is suppressed in its answer; a model that was not scanned never does."""
    if answer.state is not State.DONE or answer.report is None:
        return Judgement.PASS if accepted(answer) else Judgement.ERROR
    label = answer.report.verdict.label
    convicted = label in RANKS and RANKS.index(label) >= RANKS.index(policy.fail_on) and not accepted(answer)
    if (convicted or _worst_finding(answer, policy)) and not policy.exit_zero:
        return Judgement.FOUND
    undecided = label == Label.INCONCLUSIVE and not (policy.allow_inconclusive or accepted(answer))
    return Judgement.ERROR if undecided else Judgement.PASS


class Judging:
    """Judges answers on their way to a document, so that a catalog is read once.

    Attributes:
        worst: the heaviest judgement so far; None before the first answer.
    """

    def __init__(self, policy: Policy, today: date | None = None) -> None:
        self._policy, self._today = policy, today or date.today()
        self._used: set[Suppression] = set()
        self._codes: set[str] = set()
        self.worst: Judgement | None = None

    def over(self, answers: Iterable[Answer]) -> Iterator[Answer]:
        """The answers, with what is accepted in them marked."""
        for answer in answers:
            marked = accept(answer, self._policy.suppressions, self._today)
            self._used.update(marked.suppressed.values())
            self._codes.update(codes(marked))
            self.worst = max(judge(marked, self._policy), self.worst or Judgement.PASS)
            yield marked

    def notes(self) -> list[str]:
        """What the user should know of the suppressions, once all answers have passed."""
        return list(notes(self._policy.suppressions, self._today, self._used, self._codes))


def _worst_finding(answer: Answer, policy: Policy) -> bool:
    """Whether a finding that nobody accepts is as severe as the policy's bar."""
    if policy.fail_on_finding is None or answer.report is None:
        return False
    bar = SEVERITIES.index(policy.fail_on_finding)
    return any(SEVERITIES.index(f.severity) >= bar for f in answer.report.findings if f.rule not in answer.suppressed)
