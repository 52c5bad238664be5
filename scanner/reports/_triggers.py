"""Which of the recovered triggers a report shows, and how well each class's attack worked."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Rate, Report
from ..triggers import Trigger

__all__ = ["EVERY", "accused", "attack_success", "further_triggers", "lowest_success", "shown_mover", "shown_triggers"]

EVERY = "-every-class"  # ends the name of the files of a trigger that moves every class
WORKS = 0.8  # least success on unseen pictures of a further trigger that is shown


def attack_success(report: Report, trigger: Trigger) -> Rate | None:
    """The measured success of exactly this trigger; None where it was not verified or no sample was left to try."""
    rates = (rate for t, rate in _verified(report) if t is trigger)
    return next((rate for rate in rates if rate.trials), None)


def lowest_success(report: Report) -> dict[int, Rate]:
    """Class -> the lowest measured success among its triggers (of several seeds), in order of class.

    Further triggers do not count: the verdict does not weigh them. Nor do those that move every class to one of its
    own: what they achieve says nothing of the class that they move the first one to.
    """
    further = {id(t) for e in report.evidence for t in e.further}
    lowest: dict[int, Rate] = {}
    weighed = ((t, r) for t, r in _verified(report) if r.trials and id(t) not in further and t.mapping is None)
    for trigger, rate in weighed:
        if trigger.target not in lowest or rate.value < lowest[trigger.target].value:
            lowest[trigger.target] = rate
    return dict(sorted(lowest.items()))


def accused(report: Report) -> tuple[int, ...]:
    """The verdict's targets and suspects, then the classes that only a method flagged; each class once."""
    named = (*report.verdict.targets, *report.verdict.suspects)
    return tuple(dict.fromkeys([*named, *(c for e in report.evidence for c in e.flagged)]))


def shown_triggers(report: Report) -> dict[int, tuple[str, Trigger]]:
    """Accused class -> (detector id, its best trigger): highest measured success, then the smallest mask.

    Those that move every class are not of a class, see `shown_mover`.
    """
    best = {}
    for target in accused(report):
        found = [(who, t) for who, t in _recovered(report) if t.target == target and t.mapping is None]
        if found:
            best[target] = max(found, key=lambda pair: _strength(report, pair[1]))
    return best


def shown_mover(report: Report) -> tuple[str, Trigger] | None:
    """(detector id, trigger) of the best one that moves every class to one of its own, where those are accused."""
    named = set(accused(report))
    found = [(who, t) for who, t in _recovered(report) if t.mapping is not None and set(t.mapping) <= named]
    return max(found, key=lambda pair: _strength(report, pair[1]), default=None)


def further_triggers(report: Report, target: int) -> list[tuple[str, Trigger, Rate]]:
    """(detector id, trigger, its success) of each place that works by itself, where a class has several triggers."""
    found = ((e.detector, t, attack_success(report, t)) for e in report.evidence for t in e.further)
    return [(name, t, rate) for name, t, rate in found if t.target == target and rate and rate.value >= WORKS]


def _recovered(report: Report) -> Iterator[tuple[str, Trigger]]:
    yield from ((e.detector, t) for e in report.evidence for t in e.triggers)


def _strength(report: Report, trigger: Trigger) -> tuple[float, float]:
    rate = attack_success(report, trigger)
    return (rate.value if rate else -1.0, -trigger.fraction)


def _verified(report: Report) -> Iterator[tuple[Trigger, Rate]]:
    if report.evaluation is not None:
        yield from report.evaluation.attack_success
