"""The nouns of a repair's result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .domain_search import DomainOverrides
from .findings import Evaluation, Verdict

if TYPE_CHECKING:
    from ..converters import ModelFacts
    from .triggers import Trigger

__all__ = ["CLOSES", "Attack", "Attempt", "RepairOptions", "RepairReport", "worst_attacks"]

CLOSES = "This closes the triggers that were found; that there is no other cannot be proven."


@dataclass(frozen=True, kw_only=True)
class RepairOptions:
    """Everything that changes a repair besides the model, the data and the triggers.

    Attributes:
        method: id of the repair, or "auto" for all in the order of their rank.
        settings: options of single methods, id -> option -> value; of repairs, and of the detectors that scan.
        tolerance: clean accuracy that may be lost on held-out samples, in [0, 1].
        dead: most attack success on held-out samples that every known trigger may keep, in [0, 1].
        rounds: most times that a method is run on its own result, with the triggers that the re-scan still finds.
        samples: most clean pictures used: half to work on, half held out.
        scan_samples: most pictures that a scan searches with, of those to work on.
        seed: of all randomness.
        device: "auto", "cpu" or "cuda", for scans and training.
        overrides: what the user knows about the model's input.
        scores: the output that holds the scores, where the file has several.
    """

    method: str = "auto"
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    tolerance: float = 0.015
    dead: float = 0.1
    rounds: int = 3
    samples: int = 1000
    scan_samples: int = 100
    seed: int = 0
    device: str = "auto"
    overrides: DomainOverrides = field(default_factory=DomainOverrides)
    scores: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One run of one method.

    Attributes:
        method: its id.
        round: from 1.
        note: what it did, in one line; "" where it could not be run.
        problem: why the result is not taken, or why there is none; "" where it is taken.
        evaluation: of the result, in onnxruntime on held-out samples; None where there is none.
        rescan: the verdict of a scan of the result with a fresh seed; None where it was not worth one.
        seconds: wall time, the re-scan included.
    """

    method: str
    round: int
    note: str
    problem: str
    evaluation: Evaluation | None
    rescan: Verdict | None
    seconds: float


@dataclass(frozen=True)
class RepairReport:
    """What a repair did to a model, or why nothing was written.

    Attributes:
        model: the original.
        out: the repaired file; None where nothing was written.
        method: that was taken; "" where none was.
        before, after: clean accuracy and attack success in onnxruntime on the same held-out samples.
        attempts: in the order in which they were made.
        edited: how many elements of which weights differ from the original; empty where nodes were added.
        added: how many nodes were added.
        scan: the verdict of the scan that found the triggers; None where they were given.
        reason: in one sentence, why nothing was written; "" where something was.
        notes: what the reader should know, one sentence each.
        options: of the run.
    """

    model: ModelFacts
    out: Path | None
    method: str
    before: Evaluation
    after: Evaluation | None
    attempts: tuple[Attempt, ...]
    edited: Mapping[str, int]
    added: int
    scan: Verdict | None
    reason: str
    notes: tuple[str, ...]
    options: RepairOptions


@dataclass(frozen=True)
class Attack:
    """What is left of one attack: the strongest of its triggers before the repair, and the strongest after it.

    Attributes:
        target: the class that its triggers cause; None for those that move every class to one of its own.
        triggers: how many of them were judged.
        before, after: the highest attack success among them in [0, 1], not always of the same trigger.
    """

    target: int | None
    triggers: int
    before: float
    after: float


def worst_attacks(before: Evaluation, after: Evaluation) -> list[Attack]:
    """One attack for each target class, and one for the triggers that move every class; in the order of the triggers.

    Args:
        before, after: of the same triggers in the same order.
    """
    groups: dict[int | None, list[tuple[float, float]]] = {}
    for (trigger, one), (_, two) in zip(before.attack_success, after.attack_success, strict=True):
        groups.setdefault(_aim(trigger), []).append((one.value, two.value))
    return [
        Attack(target, len(rates), max(one for one, _ in rates), max(two for _, two in rates))
        for target, rates in groups.items()
    ]


def _aim(trigger: Trigger) -> int | None:
    return trigger.target if trigger.mapping is None else None
