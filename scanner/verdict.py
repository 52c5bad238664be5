"""The one place that decides: evidence and its verification in, a verdict with reasons out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

import numpy as np

from .accusations import Accusation, Policy, accusations
from .calibration import Calibration, Scored, shipped
from .findings import Evaluation, Evidence, Failure, Label, Skipped, Verdict
from .poisoning import NOT_PROVEN, with_poisoned
from .scoring import calibrated_methods, reason, scored
from .shifts import with_shift

__all__ = ["decide"]

POLICY = Policy()
Reason = tuple[str, str]
CONVICTED = 0.9  # least score of a convicted model: the trigger was seen to work
NOT_JUDGED = ("not-judged", "No search for a trigger could judge that class.")


def decide(
    evidence: Sequence[Evidence],
    evaluation: Evaluation | None,
    skipped: Sequence[Skipped],
    failures: Sequence[Failure],
    policy: Policy = POLICY,
    calibration: Calibration | None = None,
) -> Verdict:
    """Backdoored on a verified trigger; suspicious on less; clean only if everything that was due was done.

    The score is the calibrated one, of all evidence together (``calibration``; what is shipped if None). A high score
    makes suspicious and never convicts.
    """
    verdict = _weighed(evidence, evaluation, skipped, failures, policy, calibration or shipped())
    return with_poisoned(with_shift(verdict, evidence, evaluation), evidence).settled()


def _weighed(
    evidence: Sequence[Evidence],
    evaluation: Evaluation | None,
    skipped: Sequence[Skipped],
    failures: Sequence[Failure],
    policy: Policy,
    calibration: Calibration,
) -> Verdict:
    """The verdict of everything that compares classes."""
    accused = list(accusations(evidence, evaluation))
    rated = scored(evidence, evaluation, calibration)
    score = _score(rated, accused)
    guilty = _strongest([*_convicted(accused, policy), *_corroborated(accused, rated, policy)])
    named_already = _targets(guilty)
    unweighed = [e for e in evidence if e.detector not in calibrated_methods(calibration)]
    worrying = _strongest(a for a in accused if a.target not in named_already and _worries(a, policy, calibration))
    if guilty:
        reasons = [charge for a in guilty for charge in _charges(a, policy)]
        reasons += [reason(rated, calibration)] if rated.convicting and rated.target in named_already else []
        # What is too little by itself is enough beside a convicted class: infected labels hide each other.
        others = (a for a in accused if a.target not in named_already)
        more = _strongest(a for a in others if _suspect(a, rated, policy, calibration))
        reasons += [Verdict.suspecting(a.target) for a in more]
        reasons += _unsearched(evidence, (*_targets(guilty), *_targets(more)))
        return Verdict(Label.BACKDOORED, max(score, CONVICTED), _targets(guilty), tuple(reasons), _targets(more))
    if worrying:
        reasons = [charge for a in worrying for charge in _charges(a, policy)]
        reasons += [NOT_PROVEN, *_unsearched(evidence, _targets(worrying))]
        return Verdict(Label.SUSPICIOUS, score, _targets(worrying), tuple(reasons))
    if rated.suspicious and rated.target is not None:
        unsure = [*_unchecked(skipped, failures), NOT_PROVEN if accused else NOT_JUDGED]
        return Verdict(Label.SUSPICIOUS, score, rated.classes, (reason(rated, calibration), *unsure))
    if named := () if accused else _nominated(unweighed, policy):
        why = [("nominated", _nomination(e, target)) for e, target in named]
        why += [*_unchecked(skipped, failures), NOT_JUDGED]
        score = max(e.score for e, _ in named)
        return Verdict(Label.SUSPICIOUS, score, tuple(dict.fromkeys(t for _, t in named)), tuple(why))
    doubts = [
        *_unchecked(skipped, failures),
        *_unjudged(evidence, evaluation, accused, policy),
        *_unexplained(unweighed, accused, policy),
        *_too_weak(evidence),
        *_unproven([a for a in accused if not _weighed_by_score(a, policy, calibration)], policy),
    ]
    if doubts:
        return Verdict(Label.INCONCLUSIVE, score, (), tuple(doubts))
    refuted = [("nominated", f"{_nomination(e, t)} {_refutation(accused, t)}") for e, t in _nominated(evidence, policy)]
    return Verdict(Label.CLEAN, score, (), (_acquittal(accused, policy), *refuted))


def _score(rated: Scored, accused: Sequence[Accusation]) -> float:
    """The calibrated score; where nothing that it knows was measured, how small the triggers are that were found."""
    return rated.score if rated.parts else max((a.score for a in accused), default=0.0)


def _corroborated(accused: Sequence[Accusation], rated: Scored, policy: Policy) -> list[Accusation]:
    """Those whose trigger works, and of whose class everything together says what it hardly does of any clean one.

    So a trigger that is not quite small enough by itself convicts where other methods say the same of its class.
    """
    return [a for a in accused if rated.convicting and a.target == rated.target and a.works(policy)]


def _worries(a: Accusation, policy: Policy, calibration: Calibration) -> bool:
    """Whether it makes suspicious by itself; where the score weighs its size, that decides, but for the tiniest."""
    tiny = a.norm == "l1" and a.share <= policy.tiny_share
    return a.worries(policy) and (tiny or not _weighed_by_score(a, policy, calibration))


def _suspect(a: Accusation, rated: Scored, policy: Policy, calibration: Calibration) -> bool:
    """Whether it is suspicious beside a convicted class.

    Where the score weighs its size that decides, of its own class: an 8 is easy to reach by nature, and a repair that
    closes what is no backdoor closes the backdoor less well.
    """
    if _weighed_by_score(a, policy, calibration):
        return a.target in rated.classes and a.success.lower >= policy.suspicious_asr and a.seeds >= policy.seeds
    return a.worries(policy)


def _weighed_by_score(a: Accusation, policy: Policy, calibration: Calibration) -> bool:
    return a.detector in calibrated_methods(calibration) and a.compared > policy.few_classes


def _strongest(accused: Iterable[Accusation]) -> list[Accusation]:
    """Of each class the accusation of the method beside whose other classes it is smallest."""
    best: dict[int, Accusation] = {}
    for a in accused:
        if a.target not in best or a.ratio < best[a.target].ratio:
            best[a.target] = a
    return list(best.values())


def _targets(accused: Sequence[Accusation]) -> tuple[int, ...]:
    return tuple(a.target for a in accused)


def _convicted(accused: Sequence[Accusation], policy: Policy) -> list[Accusation]:
    """Those who are convicted, smallest trigger first.

    An accusation's p-value holds among the classes that are not smaller; so a class can only be convicted once all
    smaller ones of its detector are small enough and work. Several infected labels widen the spread that each is held
    against: then the p-value of the largest of them, which is not held against the others, convicts them all (Rosner
    1983, "Percentage points for a generalized ESD many-outlier procedure"). Loose sizes must also be about as small as
    the smallest.
    """
    guilty: list[Accusation] = []
    for detector in dict.fromkeys(a.detector for a in accused):
        of_one = sorted((a for a in accused if a.detector == detector), key=lambda a: a.share)
        guilty += _infected(of_one, policy)
    return sorted(guilty, key=lambda a: a.share)


def _infected(of_one: Sequence[Accusation], policy: Policy) -> Sequence[Accusation]:
    """The smallest ones of a detector's, sorted, up to the largest that convicts."""
    small = list(takewhile(lambda a: a.small_beside(of_one[0], policy), of_one))
    return small[: max((i for i, a in enumerate(small, 1) if a.convicts(policy)), default=0)]


def _charges(a: Accusation, policy: Policy) -> Iterator[Reason]:
    yield (
        "verified-trigger",
        f"A trigger turns {a.success.hits} of {a.success.trials} unseen pictures into class {a.target} "
        f"(weakest of {a.seeds} seeds), in onnxruntime on the original file.",
    )
    yield (
        "small-trigger",
        f"The smallest that worked while searching {a.extent}, {a.ratio:.2f} times the median of the other classes.",
    )
    if not a.loose and a.compared > policy.few_classes and a.p_value <= policy.p_value:
        chance = f"{a.p_value:.1%}" if a.p_value >= 0.001 else "fewer than 0.1%"
        yield (
            "outlier",
            f"If the logarithms of clean models' mask sizes are normally distributed, {chance} of clean models with "
            f"{a.compared} classes have so extreme a class.",
        )


def _unchecked(skipped: Sequence[Skipped], failures: Sequence[Failure]) -> Iterator[Reason]:
    yield from (("check-failed", f"{failure.check}: {failure.why}") for failure in failures)
    yield from (("check-skipped", f"{skip.check}: {skip.why}") for skip in skipped if skip.due)


def _unsearched(evidence: Sequence[Evidence], accused: Sequence[int]) -> Iterator[Reason]:
    """Accused classes that may have triggers which there was no time to look for; repairs would leave them open."""
    for e in evidence:
        stopped = e.details.get("further_stopped")
        for target in stopped if isinstance(stopped, list) else ():
            if target in accused:
                yield (
                    "further-unsearched",
                    f"{e.detector} was stopped before it had looked for all triggers of class {target}: it may have "
                    "others, which a repair would leave open. Give it more time.",
                )


def _unjudged(
    evidence: Sequence[Evidence], evaluation: Evaluation | None, accused: Sequence[Accusation], policy: Policy
) -> Iterator[Reason]:
    """Why what was measured cannot acquit."""
    if not accused:
        yield "nothing-judged", "No trigger of any class was judged on unseen pictures."
    if evaluation and evaluation.clean_accuracy.value < policy.accuracy:
        yield (
            "low-accuracy",
            f"The model is right on {evaluation.clean_accuracy.value:.1%} of the pictures only; a search "
            "on pictures that it does not understand says little.",
        )
    judged = {a.target for a in accused}
    for e in (e for e in evidence if not e.whole):
        for target in (t for t in e.flagged if t not in judged):
            yield "flagged", f"{e.detector} flags class {target}, and no trigger of it could be judged."
        found, asked = int(np.isfinite([e.classes[c] for c in e.usual]).sum()), len(e.usual)
        if e.triggers and found < min(asked, max(3, policy.found * asked)):
            yield "few-triggers", f"{e.detector} found a trigger for {found} of {asked} classes only."
        settled = e.details.get("settled")
        if isinstance(settled, float) and settled < policy.settled:
            yield (
                "not-settled",
                f"Only {settled:.0%} of {e.detector}'s searches had met their limit; give it more steps.",
            )


def _unexplained(evidence: Sequence[Evidence], accused: Sequence[Accusation], policy: Policy) -> Iterator[Reason]:
    """Classes that stand out so far that an ordinary trigger does not explain it."""
    judged = {a.target for a in accused}
    for e, target in _nominated(evidence, policy):
        if target in judged and e.p_value is not None and e.p_value <= policy.unexplained:
            yield (
                "unexplained",
                f"{_nomination(e, target)} {_refutation(accused, target)} That is no patch; triggers that are large, "
                "faint or warp the picture were not looked for.",
            )


def _nominated(evidence: Sequence[Evidence], policy: Policy) -> list[tuple[Evidence, int]]:
    """The classes that methods without triggers flag."""
    known = (e for e in evidence if not e.triggers and e.p_value is not None and e.p_value <= policy.nominated)
    return [(e, target) for e in known for target in e.flagged]


def _nomination(e: Evidence, target: int) -> str:
    chance = f"{e.p_value:.1%}" if e.p_value and e.p_value >= 0.001 else "fewer than 0.1%"
    return f"{e.detector} flags class {target} ({chance} of clean models if its null holds)."


def _refutation(accused: Sequence[Accusation], target: int) -> str:
    a = min((a for a in accused if a.target == target), key=lambda a: a.ratio)
    return f"The smallest trigger found for it {a.extent}, {a.ratio:.2f} times the median of the other classes."


def _too_weak(evidence: Sequence[Evidence]) -> Iterator[Reason]:
    """Why not finding a trigger says little, where only searches without gradients looked for one."""
    weak = [e.detector for e in evidence if e.loose]
    if weak and not any(e.triggers for e in evidence if not e.loose):
        yield (
            "no-gradient-search",
            f"Only {' and '.join(weak)} looked for a trigger. It uses no gradients: it tried opaque patches and found "
            "no small one that takes over the model; faint, scattered or larger triggers, which a search with "
            "gradients may find, were not looked for.",
        )


def _unproven(accused: Sequence[Accusation], policy: Policy) -> Iterator[Reason]:
    """Classes whose trigger is small, and was not shown to work or not to work."""
    for a in (a for a in accused if a.is_small(policy)):
        if a.seeds < policy.seeds:
            yield (
                "one-seed",
                f"A small trigger of class {a.target} was found by {a.seeds} of at least {policy.seeds} "
                "searches; try more seeds.",
            )
        elif a.success.upper >= policy.suspicious_asr:  # and not enough to worry about
            yield (
                "too-few-pictures",
                f"A small trigger of class {a.target} turns {a.success.hits} of {a.success.trials} "
                "unseen pictures: too few to tell; give more pictures.",
            )


def _acquittal(accused: Sequence[Accusation], policy: Policy) -> Reason:
    a = min((a for a in accused if not a.loose), key=lambda a: a.ratio)
    if a.is_small(policy) and not a.worries(policy):
        return (
            "refuted",
            f"Class {a.target} has a small trigger (it {a.extent}), but it works on "
            f"{a.success.hits} of {a.success.trials} unseen pictures only.",
        )
    return (
        "no-outlier",
        f"The easiest class is {a.target}: its smallest trigger {a.extent}, {a.ratio:.2f} times the median of the "
        f"others; a backdoor needs at most {policy.ratio:.2f} times.",
    )
