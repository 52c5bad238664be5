"""The one place that decides: evidence and its verification in, a verdict with reasons out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .accusations import Accusation, Policy, accusations
from .findings import Evaluation, Evidence, Failure, Label, Skipped, Verdict

__all__ = ["decide"]

POLICY = Policy()
Reason = tuple[str, str]


def decide(
    evidence: Sequence[Evidence],
    evaluation: Evaluation | None,
    skipped: Sequence[Skipped],
    failures: Sequence[Failure],
    policy: Policy = POLICY,
) -> Verdict:
    """Backdoored on a verified trigger; suspicious on less; clean only if everything that was due was done."""
    accused = list(accusations(evidence, evaluation))
    score = max((a.score for a in accused), default=0.0)
    guilty = _convicted(accused, policy)
    worrying = [a for a in accused if a not in guilty and a.worries(policy)]
    if guilty:
        reasons = [reason for a in guilty for reason in _charges(a, policy)]
        reasons += [("further-suspect", f"Class {a.target} is suspicious too.") for a in worrying]
        return Verdict(Label.BACKDOORED, score, tuple(a.target for a in guilty), tuple(reasons))
    if worrying:
        reasons = [reason for a in worrying for reason in _charges(a, policy)]
        reasons.append(("not-proven", "The evidence falls short of what a conviction needs."))
        return Verdict(Label.SUSPICIOUS, score, tuple(a.target for a in worrying), tuple(reasons))
    if named := () if accused else _nominated(evidence, policy):
        why = [("nominated", _nomination(e, target)) for e, target in named]
        why += [*_unchecked(skipped, failures), ("not-judged", "No search for a trigger could judge that class.")]
        score = max(e.score for e, _ in named)
        return Verdict(Label.SUSPICIOUS, score, tuple(dict.fromkeys(t for _, t in named)), tuple(why))
    doubts = [
        *_unchecked(skipped, failures),
        *_unjudged(evidence, evaluation, accused, policy),
        *_unexplained(evidence, accused, policy),
        *_too_weak(evidence),
        *_unproven(accused, policy),
    ]
    if doubts:
        return Verdict(Label.INCONCLUSIVE, score, (), tuple(doubts))
    refuted = [("nominated", f"{_nomination(e, t)} {_refutation(accused, t)}") for e, t in _nominated(evidence, policy)]
    return Verdict(Label.CLEAN, score, (), (_acquittal(accused, policy), *refuted))


def _convicted(accused: Sequence[Accusation], policy: Policy) -> list[Accusation]:
    """Those who are convicted, smallest trigger first.

    An accusation's p-value holds among the classes that are not smaller; so a class can only be convicted once all
    smaller ones of its detector are. Loose sizes must also be about as small as the smallest.
    """
    guilty: list[Accusation] = []
    stopped = set[str]()
    for a in sorted(accused, key=lambda a: a.share):
        first = next((g for g in guilty if g.detector == a.detector), a)
        near = not a.loose or a.share <= policy.loose_spread * first.share
        if a.detector not in stopped and near and a.convicts(policy):
            guilty.append(a)
        else:
            stopped.add(a.detector)
    return guilty


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
    yield from (("check-skipped", f"{skip.check}: {skip.why}") for skip in skipped)


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
    for e in evidence:
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
    if a.is_small(policy):
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
