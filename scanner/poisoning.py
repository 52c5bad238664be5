"""What poisoned samples in the training set mean for the verdict on the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .findings import Evidence, Label, Verdict
from .poisoned import PoisonedSamples
from .transplant import surely

__all__ = ["NOT_PROVEN", "POLICY", "PoisonPolicy", "with_poisoned"]

Reason = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class PoisonPolicy:
    """What a conviction on samples of the training set needs; all of it, of one class.

    That a cluster stands apart does not do: classes have modes of their own, and where those are many a clean set has
    such clusters too. What its samples share has to work as a trigger.

    Attributes:
        ratio: l / p in exclusionary reclassification must be below it; the paper's T. Its poison has 0 to 0.13, its
            clean classes 3.5 and more. Where it is not, only a small trigger convicts (``transplant.SURE``).
        followed: least of the cluster's samples that the model itself gives their label.
        transplant: what the lower end of the 95 % interval must reach, of the samples of other classes that turn into
            the target when what the cluster shares is put into them.
        area: most of the picture that this may cover.
        hint: the same lower end from which it is suspicious.
        alone: most of the classes, as a share, that may be flagged if one of them shall be suspicious for its cluster
            alone; where more are, clusters are usual in this data.
        alone_ratio, alone_size: most of l / p, and least samples of the cluster, for the same.
    """

    ratio: float = 1.0
    followed: float = 0.9
    transplant: float = 0.5
    area: float = 0.25
    hint: float = 0.2
    alone: float = 0.2
    alone_ratio: float = 0.13
    alone_size: int = 50

    def convicts(self, p: PoisonedSamples) -> bool:
        """Whether the samples are poisoned and the model has learnt it."""
        works = p.transplant.lower >= self.transplant and (p.trigger is None or p.trigger.fraction <= self.area)
        moved = p.reclassified.ratio < self.ratio
        return p.followed.value >= self.followed and (works if moved else surely(p.transplant, p.trigger))

    def worries(self, p: PoisonedSamples, flagged: int, classes: int) -> bool:
        """Whether they look like it."""
        return p.transplant.lower >= self.hint or (
            p.reclassified.ratio <= self.alone_ratio
            and len(p) >= self.alone_size
            and flagged <= max(1.0, self.alone * classes)
        )


POLICY = PoisonPolicy()


def with_poisoned(verdict: Verdict, evidence: Sequence[Evidence], policy: PoisonPolicy = POLICY) -> Verdict:
    """The verdict of all other evidence, raised by what was found in the training set; it is never lowered."""
    found = [(e, p) for e in evidence for p in e.poisoned]
    guilty = [p for _, p in found if policy.convicts(p)]
    worrying = [p for e, p in found if p not in guilty and policy.worries(p, len(e.poisoned), len(e.classes))]
    if guilty:
        return _raised(verdict, Label.BACKDOORED, guilty, [*_charges(guilty), *_further(worrying)])
    if worrying and verdict.label is not Label.BACKDOORED:
        return _raised(verdict, Label.SUSPICIOUS, worrying, [*_charges(worrying), NOT_PROVEN])
    if found or any(e.details.get("too_few_samples") for e in evidence):
        doubts = [*_unexplained([p for _, p in found]), *_unseen(evidence)]
        label = Label.INCONCLUSIVE if verdict.label is Label.CLEAN else verdict.label
        return replace(verdict, label=label, reasons=(*verdict.reasons, *doubts))
    return verdict


NOT_PROVEN = ("not-proven", "The evidence falls short of what a conviction needs.")


def _raised(verdict: Verdict, label: Label, accused: Sequence[PoisonedSamples], reasons: Sequence[Reason]) -> Verdict:
    """The verdict with further targets; reasons of one that could not tell are no longer any."""
    told = verdict.reasons if verdict.label in (Label.SUSPICIOUS, Label.BACKDOORED) else ()
    known = verdict.targets if verdict.label is label or label is Label.SUSPICIOUS else ()
    score = max(verdict.score, *(_score(p) for p in accused))
    targets = tuple(dict.fromkeys([*(p.target for p in accused), *known]))
    return Verdict(label, score, targets, tuple(dict.fromkeys([*reasons, *told])), verdict.suspects)


def _score(p: PoisonedSamples) -> float:
    """Suspicion in [0, 1]; an ordering, not a probability."""
    return max(p.reclassified.moved, p.transplant.lower) * p.followed.value * (0.5 + 0.5 * p.transplant.value)


def _charges(accused: Sequence[PoisonedSamples]) -> Iterator[Reason]:
    for p in accused:
        yield (
            "poisoned-samples",
            f"{len(p)} of the {p.labelled} training samples labelled {p.target} stand apart in the model's last hidden "
            f"layer: it gives {p.followed.hits} of them that class, a last layer that never saw them "
            f"{p.reclassified.own}.",
        )
        if p.transplant.trials:
            yield (
                "shared-trigger",
                f"What they share{_shared(p)} turns {p.transplant.hits} of {p.transplant.trials} samples of the "
                f"classes that they come from into class {p.target}, in onnxruntime on the original file.",
            )


def _shared(p: PoisonedSamples) -> str:
    if p.trigger is not None:
        return f", a patch that covers {p.trigger.fraction:.1%} of the picture,"
    return f", the words {' '.join(p.tokens)}," if p.tokens else ""


def _further(worrying: Sequence[PoisonedSamples]) -> Iterator[Reason]:
    for p in worrying:
        yield "further-suspect", f"{len(p)} training samples labelled {p.target} are suspicious too."


def _unexplained(found: Sequence[PoisonedSamples]) -> Iterator[Reason]:
    if found:
        shown = ", ".join(str(p.target) for p in found[:5]) + (" ..." if len(found) > 5 else "")
        yield (
            "clusters-unexplained",
            f"The training samples of {len(found)} classes ({shown}) fall into two clusters that the model tells "
            "apart. So many are usual where a class has modes of its own; nothing that they share works as a trigger.",
        )


def _unseen(evidence: Sequence[Evidence]) -> Iterator[Reason]:
    for e in evidence:
        few = e.details.get("too_few_samples")
        if isinstance(few, dict) and few:
            shown = ", ".join(f"{c} ({n})" for c, n in list(few.items())[:5]) + (" ..." if len(few) > 5 else "")
            yield "too-few-samples", f"{e.detector} cannot judge classes with so few training samples: {shown}."
