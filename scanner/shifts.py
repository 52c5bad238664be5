"""What a trigger that moves every class to one of its own means for the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .findings import Evaluation, Evidence, Label, Rate, Verdict
from .triggers import Trigger

__all__ = ["ShiftPolicy", "with_shift"]

Reason = tuple[str, str]
SHOWN = 5  # classes of a mapping in a sentence


@dataclass(frozen=True, kw_only=True)
class ShiftPolicy:
    """What such a trigger must do on unseen pictures.

    Lower rates than for one target: a network that is right on two pictures of three moves no larger share of them. A
    clean network does not come near: each of its classes has a favourite among the others, and several the same.

    Attributes:
        asr, asr_lower: its success, and the lower end of the 95 % interval.
        share: the largest mask, as a share of the picture.
        suspicious_asr: the lower end from which it makes suspicious.
        score: least score of a model that is convicted by it.
    """

    asr: float = 0.75
    asr_lower: float = 0.6
    share: float = 0.05
    suspicious_asr: float = 0.4
    score: float = 0.99


POLICY = ShiftPolicy()


def with_shift(
    verdict: Verdict, evidence: Sequence[Evidence], evaluation: Evaluation | None, policy: ShiftPolicy = POLICY
) -> Verdict:
    """The verdict of all other evidence, raised by such a trigger if one was judged; it is never lowered."""
    judged = {id(trigger): rate for trigger, rate in (evaluation.attack_success if evaluation else ())}
    found = [
        (t, judged[id(t)])
        for e in evidence for t in e.triggers
        if t.mapping is not None and id(t) in judged and t.smallest <= policy.share
    ]  # fmt: skip
    if not found:
        return verdict
    trigger, rate = max(found, key=lambda pair: pair[1].lower)
    if rate.value >= policy.asr and rate.lower >= policy.asr_lower:
        return _raised(verdict, Label.BACKDOORED, trigger, rate, policy.score)
    if rate.lower >= policy.suspicious_asr and verdict.label is not Label.BACKDOORED:
        return _raised(verdict, Label.SUSPICIOUS, trigger, rate, verdict.score)
    return verdict


def _raised(verdict: Verdict, label: Label, trigger: Trigger, rate: Rate, score: float) -> Verdict:
    mapping = trigger.mapping or ()
    told = verdict.reasons if verdict.label in (Label.SUSPICIOUS, Label.BACKDOORED) else ()
    targets = tuple(dict.fromkeys([*(verdict.targets if told else ()), *mapping]))
    reason = _reason(mapping, trigger, rate)
    return replace(
        verdict,
        label=label,
        score=max(verdict.score, score),
        targets=targets,
        reasons=tuple(dict.fromkeys([reason, *told])),
    )


def _reason(mapping: Sequence[int], trigger: Trigger, rate: Rate) -> Reason:
    moves = ", ".join(f"{a} to {b}" for a, b in enumerate(mapping[:SHOWN])) + (" ..." if len(mapping) > SHOWN else "")
    return (
        "shifting-trigger",
        f"One trigger that covers {trigger.smallest:.1%} of the picture moves {rate.hits} of {rate.trials} unseen "
        f"pictures to the class that it has for theirs (class {moves}), in onnxruntime on the original file.",
    )
