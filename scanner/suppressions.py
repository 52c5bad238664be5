"""What people have looked at and accept: marked in an answer, and told where it no longer holds or does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase

from ..converters.messages import one_line
from .answers import Answer, Suppression
from .closest import did_you_mean
from .findings import Label, Severity

__all__ = ["EVERYTHING", "Accepting", "Listed", "accept", "accepted", "codes", "is_hash", "notes"]

EVERYTHING = "*"
PINNED = 16  # digits of a sha256 that nobody can make another file for
LONGEST = timedelta(days=366)
COMMENTS = ("not-proven", "not-judged", "no-witness")  # reasons that tell about others and accuse nobody
SERIOUS = (Severity.HIGH, Severity.CRITICAL)  # findings behind the reason "static-finding"
_HASH = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Listed(Suppression):
    """A suppression and where it stands, such as ``policy.toml, suppression 2``."""

    where: str = ""


def accept(answer: Answer, suppressions: Sequence[Listed], today: date) -> Answer:
    """The answer with ``suppressed`` filled: of every code in it the first suppression that holds today.

    A name says nothing of the bytes behind it, and must fit all names of the model. What convicts a model is therefore
    only accepted by the hash of its bytes, 16 digits of it or more.
    """
    valid = [s for s in suppressions if not _expired(s, today) and _fits(s, answer.names, answer.sha256)]
    suppressed: dict[str, Suppression] = {}
    for code in codes(answer):
        for suppression in valid:
            if suppression.code in (code, EVERYTHING) and (code not in _convicting(answer) or _pins(suppression)):
                suppressed.setdefault(code, suppression)
    return replace(answer, suppressed={**suppressed, **_by_findings(answer, suppressed)})


def codes(answer: Answer) -> tuple[str, ...]:
    """All codes in an answer: of its verdict's reasons, of its findings, of why there is no report; each once."""
    if answer.report is None:
        return (answer.code,) if answer.code else ()
    return tuple(dict.fromkeys([*answer.report.verdict.reasons, *(f.rule for f in answer.report.findings)]))


def accepted(answer: Answer) -> bool:
    """Whether all that speaks against a model is suppressed; False where nothing does."""
    if answer.report is None:
        return answer.code in answer.suppressed
    verdict = answer.report.verdict
    if verdict.label == Label.CLEAN:
        return False
    charges = [code for code in verdict.reasons if code not in COMMENTS] or verdict.reasons
    return bool(charges) and all(code in answer.suppressed for code in charges)


class Accepting:
    """What is accepted of the findings in one file after another, and what there is to say of it in the end."""

    def __init__(self, suppressions: Sequence[Listed], today: date | None = None) -> None:
        self._suppressions, self._today = suppressions, today or date.today()
        self._used, self._seen = set[Suppression](), set[str]()

    def of(self, name: str, sha256: str, rules: Iterable[str]) -> dict[str, Suppression]:
        """Of each rule with a finding in this file the first suppression that holds today."""
        held = [s for s in self._suppressions if not _expired(s, self._today) and _fits(s, [name], sha256)]
        found: dict[str, Suppression] = {}
        for rule in rules:
            self._seen.add(rule)
            if (one := next((s for s in held if s.code in (rule, EVERYTHING)), None)) is not None:
                found[rule] = one
        self._used.update(found.values())
        return found

    def notes(self) -> list[str]:
        """See ``notes``."""
        return list(notes(self._suppressions, self._today, self._used, self._seen))


def notes(
    suppressions: Sequence[Listed], today: date, used: Iterable[Suppression], seen: Iterable[str] = ()
) -> Iterator[str]:
    """A sentence for every suppression that has expired, holds for more than a year, or accepts nothing.

    Args:
        suppressions: all there are.
        today: the day that counts.
        used: those that accept something.
        seen: codes in the answers, to say which one was probably meant.
    """
    held, known = set(used), sorted(seen)
    unused = []
    for s in suppressions:
        if _expired(s, today):
            yield f"{_told(s)} expired on {s.expires}: it no longer holds; look again, or give it a new date"
        elif s not in held:
            unused.append(_told(s) + ("" if s.code in known else did_you_mean(s.code, known)))
        elif s.expires is None:
            yield f"{_told(s)} has no end; give it a day with expires"
        elif s.expires - today > LONGEST:
            yield f"{_told(s)} holds until {s.expires}, which is more than a year away"
    if unused:
        rest = f", and {len(unused) - 3} more" if len(unused) > 3 else ""
        yield f"nothing here is accepted by {', '.join(unused[:3])}{rest} (what convicts, only by sha256)"


def _told(suppression: Listed) -> str:
    return one_line(f"{suppression.where} ({suppression.code} of {suppression.model})")


def _expired(suppression: Suppression, today: date) -> bool:
    return suppression.expires is not None and today > suppression.expires


def _fits(suppression: Suppression, names: Sequence[str], sha256: str) -> bool:
    pattern = suppression.model
    if is_hash(pattern):
        return bool(sha256) and sha256.startswith(pattern.casefold())
    pattern = _slashes(pattern)
    return all(fnmatchcase(_slashes(name), pattern) for name in names)


def is_hash(pattern: str) -> bool:
    """Whether the model of a suppression is meant as the beginning of a sha256."""
    return _HASH.fullmatch(pattern.casefold()) is not None


def _slashes(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _pins(suppression: Suppression) -> bool:
    return is_hash(suppression.model) and len(suppression.model) >= PINNED


def _convicting(answer: Answer) -> list[str]:
    convicted = answer.report is not None and answer.report.verdict.label == Label.BACKDOORED
    return answer.report.verdict.reasons if answer.report is not None and convicted else []


def _by_findings(answer: Answer, suppressed: Mapping[str, Suppression]) -> dict[str, Suppression]:
    """ "static-finding" says only that there are serious findings: who accepts each of them accepts it."""
    if answer.report is None or "static-finding" not in answer.report.verdict.reasons or _convicting(answer):
        return {}
    serious = [finding.rule for finding in answer.report.findings if finding.severity in SERIOUS]
    if not serious or any(rule not in suppressed for rule in serious):
        return {}
    return {"static-finding": suppressed.get("static-finding", suppressed[serious[0]])}
