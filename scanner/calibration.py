"""From signals to one score: what a known set of models taught about how much each signal is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp, isfinite
from pathlib import Path

import msgspec

from .errors import OptionError
from .signals import Signals

__all__ = ["SCHEMA", "Calibration", "Level", "Scored", "shipped"]

SCHEMA = "onnxray/calibration/1"


@dataclass(frozen=True, kw_only=True)
class Level:
    """What the most suspicious class's log-odds mean for a model, where so much was measured.

    Attributes:
        slope, intercept: of the logistic curve; the slope is positive.
        suspicious: score from which a model is suspicious; 2 where none ever is.
        convicting: score from which a class with a verified trigger convicts, however large that trigger is.
        clean, trojaned: models that the curve and the cut were made on.
    """

    slope: float
    intercept: float
    suspicious: float
    convicting: float
    clean: int
    trojaned: int


@dataclass(frozen=True)
class Scored:
    """A model's score.

    Attributes:
        score: in [0, 1], the calibrated chance of a backdoor if half of all models had one.
        suspicious, convicting: whether it reaches the cut.
        target: the class that the score is about; None if nothing was measured.
        parts: what each signal adds to that class's log-odds, largest first; measured ones only.
        level: which curve and cut it was.
        classes: all whose own score reaches the cut for suspicion, most suspicious first.
    """

    score: float
    suspicious: bool = False
    convicting: bool = False
    target: int | None = None
    parts: tuple[tuple[str, float], ...] = ()
    level: str = "nominated"
    classes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A logistic model of one class's signals, and what its largest value over the classes means for a model.

    A class's log-odds are ``offset`` plus, for each signal that was measured, its weight times its distance from its
    centre: a signal that is missing adds nothing. No weight is negative, so nothing that is measured on top can make a
    class less suspicious than a signal at its centre does.

    Attributes:
        weights, centres: by the signal's name (see ``scanner.signals``).
        levels: "searched" where a search for triggers was among the methods, "nominated" where none was.
        searches: the methods that search triggers.
        false_alarms: share of clean models that the cut for suspicion was made to let through.
        made: how, for people: parts, numbers of models, versions.
    """

    offset: float
    weights: Mapping[str, float]
    centres: Mapping[str, float]
    levels: Mapping[str, Level]
    searches: tuple[str, ...]
    false_alarms: float
    made: Mapping[str, object]
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA}, got {self.schema}")
        if set(self.weights) != set(self.centres) or not {"searched", "nominated"} <= set(self.levels):
            raise ValueError("expected a centre for every weight, and the levels searched and nominated")
        numbers = [self.offset, *self.weights.values(), *self.centres.values()]
        numbers += [
            v
            for level in self.levels.values()
            for v in (level.slope, level.intercept, level.suspicious, level.convicting)
        ]
        if not all(map(isfinite, numbers)) or min(self.weights.values(), default=0.0) < 0:
            raise ValueError("expected finite numbers, and no negative weight")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """What ``onnxray zoo calibrate`` wrote.

        Raises:
            OptionError: it cannot be read or is something else.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise OptionError(f"{path}: not a calibration ({error}); make one with onnxray zoo calibrate") from None

    def score(self, signals: Signals, without: Iterable[str] = ()) -> Scored:
        """The model's score from its signals; the methods in ``without`` count as not run."""
        left = set(without)
        known = {
            name: values for name, values in signals.items() if name in self.weights and name.split(".")[0] not in left
        }
        if not known:
            return Scored(self._curve("nominated", self.offset))
        totals = self._totals(known)
        order = sorted(range(len(totals)), key=lambda c: -totals[c])
        target = order[0]
        kind = self.kind(known)
        score = self._curve(kind, totals[target])
        parts = tuple(sorted(self._parts(known, target), key=lambda part: -part[1]))
        level = self.levels[kind]
        named = tuple(c for c in order if self._curve(kind, totals[c]) >= level.suspicious)
        return Scored(score, score >= level.suspicious, score >= level.convicting, target, parts, kind, named)

    def log_odds(self, signals: Signals) -> float:
        """The largest log-odds of any class, before the level's curve."""
        return max(self._totals({name: values for name, values in signals.items() if name in self.weights}))

    def kind(self, signals: Signals) -> str:
        """Which level these signals are of."""
        return "searched" if any(name.split(".")[0] in self.searches for name in signals) else "nominated"

    def _totals(self, known: Signals) -> list[float]:
        """Each class's log-odds; those of no evidence where nothing is known."""
        classes = len(next(iter(known.values()))) if known else 1
        return [self.offset + sum(v for _, v in self._parts(known, c)) for c in range(classes)]

    def _parts(self, signals: Signals, c: int) -> list[tuple[str, float]]:
        measured = ((name, values[c]) for name, values in signals.items() if isfinite(values[c]))
        return [(name, self.weights[name] * (value - self.centres[name])) for name, value in measured]

    def _curve(self, kind: str, log_odds: float) -> float:
        level = self.levels[kind]
        return 1 / (1 + exp(-max(-60.0, min(60.0, level.slope * log_odds + level.intercept))))


@cache
def shipped() -> Calibration:
    """The calibration that comes with this version."""
    text = files(__package__).joinpath("calibration.json").read_bytes()
    return msgspec.json.decode(text, type=Calibration)
