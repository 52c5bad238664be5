"""Records with the score that counts: a calibration's, made again from the signals, or the one that was recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Protocol

from ...scanner.errors import SamplesError
from .record import OURS, Record, read_all

__all__ = ["LOWEST", "Answer", "Scored", "Scorer", "load_records", "methods_of", "rescored"]

RULES = {"verified-trigger", "shifting-trigger"}  # reasons that make suspicious whatever the score is
LOWEST = -1e300  # as a peer's score; a number, so that two of them can be compared


class Answer(Protocol):
    """What a calibration says: how suspicious a model is, in [0, 1], and its most suspicious class."""

    @property
    def score(self) -> float:
        """In [0, 1]."""

    @property
    def suspicious(self) -> bool:
        """Whether it reaches the cut."""

    @property
    def target(self) -> int | None:
        """None where no class is more suspicious than another."""


class Scorer(Protocol):
    """What turns signals into a score."""

    def score(self, signals: Mapping[str, tuple[float, ...]], without: Collection[str] = ()) -> Answer:
        """Score a model by its ``scanner.signals``; ``without`` names methods whose signals do not count."""


@dataclass(frozen=True)
class Scored:
    """A record, and what is said of it now.

    Attributes:
        score: to rank by. A conviction keeps the score that it raised, unless some methods are left out. A scan that
            failed is as little suspicious as can be, for it found nothing.
        best: the most suspicious class; None if there is none.
        flagged: as the verdict has it under the calibration: convicted, or a small trigger works, or the score reaches
            the cut. Without one as it was recorded.
    """

    record: Record
    score: float
    best: int | None
    flagged: bool

    @property
    def named(self) -> int | None:
        """The class that the answer accuses first; None if it accuses none."""
        if not self.flagged:
            return None
        return self.record.named[0] if self.record.named else self.best

    @property
    def label(self) -> str:
        """The verdict; where the calibration now says otherwise than the record, that."""
        if self.flagged == self.record.flagged:
            return self.record.label
        return "suspicious" if self.flagged else "not suspicious"

    @property
    def hits(self) -> bool:
        """Whether the class that it names, or else finds most suspicious, is one that the attack aims at."""
        guess = self.best if self.named is None else self.named
        return guess is not None and guess in self.record.targets


def load_records(folder: Path) -> list[Record]:
    """Every record of a benchmark, by who, number of samples and name.

    Raises:
        SamplesError: there is none, or one is damaged.
    """
    found = read_all(folder / "records", Record)
    if not found:
        raise SamplesError(f"{folder}: holds no records; make some with onnxray bench detection ZOO -o {folder}")
    return sorted(found, key=lambda r: (r.who != OURS, r.who, r.samples, r.name))


def rescored(records: Iterable[Record], scorer: Scorer | None, without: Collection[str] = ()) -> list[Scored]:
    """Ours by the calibration where there is one, peers as they are."""
    return [_one(record, scorer, without) for record in records]


def _one(record: Record, scorer: Scorer | None, without: Collection[str]) -> Scored:
    if record.status != "done":
        return Scored(record, 0.0 if record.who == OURS else LOWEST, None, False)
    if record.who != OURS or scorer is None or not record.signals:
        return Scored(record, record.score, record.best, record.flagged)
    answer = scorer.score(_numbers(record.signals), without)
    by_rule = record.convicted or (record.flagged and bool(RULES & set(record.reasons)))
    score = max(float(answer.score), record.score) if record.convicted and not without else float(answer.score)
    return Scored(record, score, answer.target, by_rule or answer.suspicious)


def _numbers(signals: Mapping[str, Sequence[float | None]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(nan if v is None else v for v in values) for name, values in signals.items()}


def methods_of(records: Iterable[Record]) -> list[str]:
    """The methods that measured anything, by name."""
    return sorted({name.partition(".")[0] for record in records for name in record.signals})
