"""What a benchmark found: the JSON that ``onnxray bench report`` writes, ``onnxray/benchmark/1``.

All figures are of one part of the zoo. A result is of one scanner with one number of clean samples; models of text,
which no scanner here is made for, are counted and left out of every figure. Shares carry hits, trials and the ends of
their 95 % Wilson interval, areas those of a bootstrap (``statistics``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .statistics import At, Interval, Reliability, Share

__all__ = ["SCHEMA", "Ablation", "Benchmark", "Curve", "Group", "Mistake", "Result", "Trust"]

SCHEMA = "onnxray/benchmark/1"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one scanner does with so many clean samples.

    Attributes:
        trojaned, clean: models that it was asked about, failures among them.
        not_applicable: models of text beside them.
        failed: models that it broke on; they count as not flagged, with the lowest score.
        samples_used: fewest and most clean samples that there really were.
        auc: None without a model of each kind.
        at: what is found within limits of the false positive rate; empty without a clean model.
        flagged: trojaned models that the answer, as it ships, calls suspicious or worse; ``false_alarms``: clean ones.
        convicted: trojaned models that it calls backdoored; ``false_convictions``: clean ones. Peers convict none.
        target_right: of the flagged trojaned models, those whose named class is a target; attacks that aim at every
            class, where nothing could be wrong, are left out.
        best_right: the same of the most suspicious class of every trojaned model, flagged or not.
        median_seconds: of wall time a model.
    """

    who: str
    samples: int
    trojaned: int
    clean: int
    not_applicable: int
    failed: int
    samples_used: tuple[int, int]
    auc: Interval | None
    at: tuple[At, ...]
    flagged: Share
    false_alarms: Share
    convicted: Share
    false_convictions: Share
    target_right: Share
    best_right: Share
    median_seconds: float


@dataclass(frozen=True, kw_only=True)
class Group:
    """A result for some of the models.

    Attributes:
        by: what they have in common; an attack has trojaned models only.
        auc: of these trojaned models against all clean ones of the part.
    """

    who: str
    samples: int
    by: Literal["attack", "network", "dataset"]
    name: str
    flagged: Share
    false_alarms: Share
    auc: Interval | None


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Our score without one method's signals; ``lost``: of the area, positive if the method helps."""

    samples: int
    without: str
    auc: Interval
    lost: float


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Whether our score means what it says."""

    samples: int
    reliability: Reliability


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A receiver operating characteristic, from (0, 0) to (1, 1)."""

    who: str
    samples: int
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A trojaned model that is not flagged, a clean one that is, or one that could not be scanned; ours.

    Attributes:
        why: what the scan said, in one clause.
    """

    kind: Literal["missed", "false alarm", "wrong class", "failed"]
    samples: int
    name: str
    attack: str
    label: str
    score: float
    best: int | None
    targets: tuple[int, ...]
    why: str


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Everything, with what it was made of.

    Attributes:
        calibration: who made the score that ours is ranked by; "" if it is the verdict's own.
        headline: the number of samples that groups, curves and the terminal's lists are of.
        notes: what a reader has to know, such as sets of models that differ.
    """

    schema: str = SCHEMA
    part: str
    versions: tuple[str, ...]
    calibration: str
    headline: int
    results: tuple[Result, ...]
    groups: tuple[Group, ...]
    ablation: tuple[Ablation, ...]
    reliability: tuple[Trust, ...]
    curves: tuple[Curve, ...]
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]
