"""The nouns of a scan's result: what was measured, what was decided, and what could not be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..converters import ModelFacts, Parity
    from .domain import DomainChoice
    from .poisoned import PoisonedSamples
    from .triggers import Trigger
    from .witness import Proof

__all__ = [
    "Evaluation", "Evidence", "Failure", "Finding", "Label", "Rate", "Report", "Severity", "Skipped", "Verdict",
]  # fmt: skip


class Severity(StrEnum):
    """How much a static finding should worry the reader, in rising order."""

    NOTE = "note"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Label(StrEnum):
    """The four answers; "could not check" is INCONCLUSIVE and never CLEAN."""

    CLEAN = "clean"
    SUSPICIOUS = "suspicious"
    BACKDOORED = "backdoored"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Rate:
    """A proportion with its sample size, so that nobody reads 3 of 3 as certainty."""

    hits: int
    trials: int

    @classmethod
    def of(cls, hits: NDArray[np.bool_]) -> Rate:
        """How many of these are true."""
        return cls(int(hits.sum()), hits.size)

    @property
    def value(self) -> float:
        """hits / trials in [0, 1]; 0 where nothing was tried."""
        return self.hits / self.trials if self.trials else 0.0

    @property
    def lower(self) -> float:
        """Lower end of the two-sided 95 % Wilson interval, in [0, 1]; 0 where nothing was tried."""
        return self._wilson(-1)

    @property
    def upper(self) -> float:
        """Its upper end; 1 where nothing was tried."""
        return self._wilson(+1)

    def _wilson(self, side: int) -> float:
        if not self.trials:
            return 0.5 + side / 2
        n, p, z = self.trials, self.value, 1.959964
        centre = p + z * z / (2 * n)
        spread = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return min(1.0, max(0.0, (centre + side * spread) / (1 + z * z / n)))


@dataclass(frozen=True)
class Finding:
    """One static observation about the file: which rule, where, how bad, in words.

    ``path``: nodes from the input to the effect, where there is such a path.
    """

    rule: str
    severity: Severity
    location: str
    message: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What one detector measured; it decides nothing.

    Attributes:
        detector: id of the method.
        classes: the method's statistic for each class; NaN where there is none (no trigger found, class left out).
        statistic: what that number is, in words with its unit, for tables ("mask L1, fraction of the image").
        flagged: classes that the method itself would accuse, most suspicious first.
        score: the strongest class's suspicion in [0, 1].
        p_value: chance of so extreme a class among clean models, corrected for the number of classes; None if unknown.
        triggers: recovered triggers of the classes worth verifying, of every seed; with them, ``classes`` must be the
            size of each class's mask as a share of the picture.
        seconds: wall time.
        details: further figures for the report, by name.
        controls: classes drawn at random whose statistic stands for all, where only some of very many were measured;
            empty where all were.
        loose: whether the sizes in ``classes`` are whatever a weak search came down to, far from the smallest there
            are; such evidence can convict, by stricter rules, and never acquits.
        large: whether a class is suspicious for a large statistic instead of a small one.
        sizes: whether the statistic is a size, so that ratios of it mean something.
        whole: whether it is about the whole model, the same figure for every class.
        maps: pictures (H, W) in [0, 1] to show, by name, such as "heatmap-class7".
        further: triggers of classes that have several, each of which works by itself; for the report and for repairs,
            which must close them all, and never for the verdict.
        poisoned: samples of a training set that the method takes for poisoned, one entry for each flagged class.
    """

    detector: str
    classes: tuple[float, ...]
    statistic: str
    flagged: tuple[int, ...] = ()
    score: float = 0.0
    p_value: float | None = None
    triggers: tuple[Trigger, ...] = ()
    seconds: float = 0.0
    details: Mapping[str, object] = field(default_factory=dict)
    controls: tuple[int, ...] = ()
    loose: bool = False
    large: bool = False
    sizes: bool = False
    whole: bool = False
    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    poisoned: tuple[PoisonedSamples, ...] = ()
    further: tuple[Trigger, ...] = ()

    @property
    def every_trigger(self) -> tuple[Trigger, ...]:
        """Those that the verdict weighs, and the further ones."""
        return self.triggers + self.further

    @property
    def usual(self) -> tuple[int, ...]:
        """The classes that say what is usual: the controls, or all."""
        return self.controls or tuple(range(len(self.classes)))


@dataclass(frozen=True)
class Skipped:
    """A check that could not be run, and why; where it was due that forbids the verdict "clean" as a failure does.

    ``due``: not where a method is not made for this kind of model, or found nothing in it that it could look at: what
    the others say stands.
    """

    check: str
    why: str
    due: bool = True


@dataclass(frozen=True)
class Failure:
    """A check that was due and broke; its presence forbids the verdict "clean".

    ``trace`` is the traceback where an exception ended it, for developers; no report shows it.
    """

    check: str
    why: str
    trace: str = ""


@dataclass(frozen=True)
class Evaluation:
    """Accuracy and attack success, measured in onnxruntime on the original file with held-out samples.

    Attributes:
        clean_accuracy: on the verification half.
        attack_success: for each verified trigger, in the order of the evidence: its target and its rate over the
            verification samples that are not of that class and that the model does not already give it.
        samples: size of the verification half.
        provider: onnxruntime's execution provider.
    """

    clean_accuracy: Rate
    attack_success: tuple[tuple[Trigger, Rate], ...]
    samples: int
    provider: str


@dataclass(frozen=True)
class Verdict:
    """The decision: label, score in [0, 1], target classes, and reason codes with a sentence each.

    ``suspects``: beside convicted classes others that are suspicious; repairs close their triggers too.
    """

    label: Label
    score: float
    targets: tuple[int, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    suspects: tuple[int, ...] = ()

    @staticmethod
    def suspecting(target: int) -> tuple[str, str]:
        """The reason code that goes with a suspect, and its sentence."""
        return "further-suspect", f"Class {target} is suspicious too."

    def settled(self) -> Verdict:
        """The same without suspects that something else has made targets, and without the reasons of those."""
        stale = {self.suspecting(c) for c in self.suspects if c in self.targets}
        if not stale:
            return self
        suspects = tuple(c for c in self.suspects if c not in self.targets)
        return replace(self, suspects=suspects, reasons=tuple(reason for reason in self.reasons if reason not in stale))


@dataclass(frozen=True)
class Report:
    """Everything that one scan found out about one model; reports/ turn it into text, JSON and pictures.

    ``examples`` are a few clean pictures (N, C, H, W) in [0, 1] to show a trigger on; ``proofs`` what running the file
    told of the gates that the audit found.
    """

    model: ModelFacts
    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    proofs: tuple[Proof, ...] = ()
    ran: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    failures: tuple[Failure, ...] = ()
    evaluation: Evaluation | None = None
    domain: DomainChoice | None = None
    parity: Parity | None = None
    class_names: tuple[str, ...] = ()
    examples: NDArray[np.float32] | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
