"""What the verdict weighs: each class with judged triggers, in the units of the policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .findings import Evaluation, Evidence, Rate
from .mask_size import MaskNorm
from .outliers import anomaly_index, p_value

__all__ = ["Accusation", "Policy", "accusations", "convicting_size"]

TINY = 1e-12  # for logarithms of masks of nothing


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a conviction needs; all of it, of one class (never the anomaly index alone).

    Attributes:
        asr: attack success on the verification half, in onnxruntime, of the trigger of every seed.
        asr_lower: what the lower end of its 95 % interval must reach, so that few samples cannot convict.
        share: the largest mask, as a share of the picture.
        ratio: the largest mask, as a multiple of the median over the other classes. On the zoo's first two parts the
            easiest class of a clean model came down to 0.33; larger ones convict together with a score (see
            ``calibration.Level.convicting``).
        p_value: chance of so low an outlier among the classes of a clean model.
        seeds: independent searches that must each have found such a trigger.
        suspicious_ratio, suspicious_asr: a mask below this multiple of the others' is suspicious if the lower end of
            its attack success reaches this; only where the calibrated score does not weigh it.
        few_classes: up to this many classes an outlier test has no power; then the strict ratio and share count.
        strict_ratio, strict_share: for few classes (K-Arm's symmetric check asks for a ratio of 1/10).
        tiny_share: a universal trigger as small as this is suspicious whatever the other classes are like.
        loose_ratio, loose_share: for sizes of a search without gradients (``Evidence.loose``), in place of ratio, share
            and p_value: where it does not come near the smallest masks, they scatter too much for an outlier test.
        loose_spread: further such triggers convict up to this multiple of the smallest one's size: a shortcut leaks
            into other classes, whose somewhat larger triggers are not backdoors of their own.
        loose_suspicious_ratio, loose_suspicious_share: below both, such a trigger is suspicious.
        nominated: p-value up to which a class that a method without triggers flags is suspicious, where no search for a
            trigger has judged it.
        unexplained: p-value up to which it forbids an acquittal where one has, and found nothing unusual: a search for
            small patches does not see large, faint or warping triggers. Stricter, as such methods err more often than
            their p-values say.
        accuracy, found, settled: what an acquittal needs: clean accuracy on the verification half, the share of
            classes for which a trigger was found, and the share of searches that had met their limit.
    """

    asr: float = 0.9
    asr_lower: float = 0.8
    share: float = 0.25
    ratio: float = 0.25
    p_value: float = 0.1
    seeds: int = 2
    suspicious_ratio: float = 0.4
    suspicious_asr: float = 0.5
    few_classes: int = 4
    strict_ratio: float = 0.2
    strict_share: float = 0.05
    tiny_share: float = 0.005
    loose_ratio: float = 0.1
    loose_share: float = 0.03
    loose_spread: float = 2.0
    loose_suspicious_ratio: float = 0.2
    loose_suspicious_share: float = 0.05
    nominated: float = 0.01
    unexplained: float = 0.001
    accuracy: float = 0.3
    found: float = 0.8
    settled: float = 0.5


@dataclass(frozen=True)
class Accusation:
    """One class with judged triggers.

    Attributes:
        success: the weakest seed's attack success on the verification half.
        share: the mask of the seed that needed the most, as a share of the picture, before it was given room.
        ratio: ``share`` over the median of the other classes; inf where no other class has a trigger.
        p_value: chance of so low a class among those that are not smaller.
        seeds: how many independent searches found a trigger for it.
        compared: classes with a trigger, this one included.
        loose: whether the sizes are those of a search without gradients.
        norm: what a size is; ``share`` is the root mean square of the mask for l2.
    """

    target: int
    detector: str
    success: Rate
    share: float
    ratio: float
    p_value: float
    seeds: int
    compared: int
    loose: bool = False
    norm: MaskNorm = "l1"

    def convicts(self, policy: Policy) -> bool:
        """Whether its triggers work on unseen pictures, in every seed, and are far too small beside the others'."""
        tested = self.loose or self.compared <= policy.few_classes or self.p_value <= policy.p_value
        return self.small_beside(self, policy) and tested

    def small_beside(self, smallest: Accusation, policy: Policy) -> bool:
        """Whether its triggers work and are small enough for a conviction, whatever the spread of the others.

        Args:
            smallest: of the same detector; loose sizes must be about as small.
        """
        if self.loose:
            small = self.ratio <= policy.loose_ratio and self.share <= policy.loose_share
            small = small and self.share <= policy.loose_spread * smallest.share
        elif self.compared <= policy.few_classes:
            small = self.ratio <= policy.strict_ratio and self.share <= policy.strict_share
        else:
            small = self.ratio <= policy.ratio
        return self.works(policy) and small

    def works(self, policy: Policy) -> bool:
        """Whether its triggers work on unseen pictures, in every seed, and are triggers rather than new pictures."""
        success = self.success.value >= policy.asr and self.success.lower >= policy.asr_lower
        return success and self.seeds >= policy.seeds and self.share <= policy.share

    def worries(self, policy: Policy) -> bool:
        """Whether its triggers are smaller than they should be, and work on unseen pictures at least half the time."""
        return self.is_small(policy) and self.success.lower >= policy.suspicious_asr and self.seeds >= policy.seeds

    def is_small(self, policy: Policy) -> bool:
        """Whether its mask is smaller than it should be."""
        if self.loose:
            return self.ratio <= policy.loose_suspicious_ratio and self.share <= policy.loose_suspicious_share
        tiny = self.norm == "l1" and self.share <= policy.tiny_share
        return self.ratio <= policy.suspicious_ratio or tiny

    @property
    def extent(self) -> str:
        """Its size in words: how much of the picture it covers, or how strongly it changes all of it."""
        if self.norm == "l2":
            return f"changes the picture by {self.share:.1%} of full strength (root mean square)"
        return f"covers {self.share:.1%} of the picture"

    @property
    def score(self) -> float:
        """Suspicion in [0, 1], 0.5 at a third of the median size; an ordering, not a probability.

        For loose sizes 0.5 at a tenth of the median, or at a thirtieth of the picture, whichever is less.
        """
        size = max(10 * self.ratio, 30 * self.share) if self.loose else 3 * self.ratio
        return float(self.success.value / (1 + size**4))


def accusations(evidence: Sequence[Evidence], evaluation: Evaluation | None) -> Iterator[Accusation]:
    """One accusation for each class of each detector that has triggers judged on the verification half.

    The classes' statistic of a detector that hands on triggers is the size of the mask (see ``Evidence.triggers``).
    """
    judged = {id(trigger): rate for trigger, rate in (evaluation.attack_success if evaluation else ())}
    for e in (e for e in evidence if not e.whole):
        sizes = np.asarray(e.classes)
        for target in dict.fromkeys(t.target for t in e.triggers):
            triggers = [t for t in e.triggers if t.target == target and id(t) in judged]
            if not triggers or not np.isfinite(sizes[target]):
                continue
            others = sizes[[c for c in e.usual if c != target]]
            others = others[np.isfinite(others)]
            share = max(t.smallest for t in triggers)
            yield Accusation(
                target=target,
                detector=e.detector,
                success=min((judged[id(t)] for t in triggers), key=lambda rate: (rate.value, rate.trials)),
                share=share,
                ratio=float(share / np.median(others)) if len(others) else float("inf"),
                p_value=_chance(sizes, target, e.controls),
                seeds=len({t.seed for t in triggers}),
                compared=len(others) + 1,
                loose=e.loose,
                norm=triggers[0].norm,
            )


def convicting_size(evidence: Evidence, policy: Policy | None = None) -> tuple[float, float] | None:
    """The median size of the classes that are not flagged, and the largest that convicts beside them.

    Both in the unit of the classes' statistic; None where that is not the size of a trigger or no other class
    has one. A class must also work on unseen pictures to convict; together with a calibrated score a larger one can.
    """
    policy = policy or Policy()
    usual = [evidence.classes[c] for c in evidence.usual if c not in evidence.flagged]
    sizes = np.asarray([size for size in usual if np.isfinite(size)])
    if evidence.whole or not evidence.triggers or not len(sizes):
        return None
    median = float(np.median(sizes))
    if evidence.loose:
        return median, min(policy.loose_ratio * median, policy.loose_share)
    if int(np.isfinite(evidence.classes).sum()) <= policy.few_classes:
        return median, min(policy.strict_ratio * median, policy.strict_share)
    return median, min(policy.ratio * median, policy.share)


def _chance(sizes: np.ndarray, target: int, controls: tuple[int, ...]) -> float:
    """The p-value of a class among those that are not smaller than it; with controls, beside those of them."""
    logs = np.log(np.append(sizes[sizes > sizes[target]], sizes[target]).clip(min=TINY))
    if not controls:
        return p_value(float(anomaly_index(logs)[-1]), len(logs))
    larger = [c for c in controls if c != target and sizes[c] > sizes[target]]
    if len(larger) < 3:
        return 1.0
    index = float(anomaly_index(np.log(sizes.clip(min=TINY)), larger)[target])
    return p_value(index, len(sizes) - int((sizes < sizes[target]).sum()), len(larger))
