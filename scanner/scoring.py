"""One calibrated score from all evidence, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .calibration import Calibration, Scored, shipped
from .findings import Evaluation, Evidence
from .signals import signals

__all__ = ["calibrated_methods", "chosen", "reason", "scored"]

SAID = 3  # signals that a reason names


def chosen(path: Path | None) -> Calibration:
    """The calibration in a file, or the shipped one; raises OptionError for a file that is none."""
    return Calibration.load(path) if path else shipped()


def scored(evidence: Sequence[Evidence], evaluation: Evaluation | None, calibration: Calibration) -> Scored:
    """The score of everything that was measured; of nothing known, the score of no evidence either way."""
    classes = max((len(e.classes) for e in evidence), default=0)
    return calibration.score(signals(evidence, evaluation, classes))


def calibrated_methods(calibration: Calibration) -> frozenset[str]:
    """The methods whose evidence is weighed in the score."""
    return frozenset(name.split(".")[0] for name in calibration.weights)


def reason(rated: Scored, calibration: Calibration) -> tuple[str, str]:
    """Why the score makes a model suspicious: the class, the cut, and what weighs most."""
    level = calibration.levels[rated.level]
    most = ", ".join(f"{name.replace('.', ' ')} {value:+.1f}" for name, value in rated.parts[:SAID] if value > 0)
    return (
        "calibrated-score",
        f"All that was measured of class {rated.target} gives a score of {rated.score:.2f}; of clean models about "
        f"{calibration.false_alarms:.0%} reach {level.suspicious:.2f}. What weighs most, in log-odds: {most}.",
    )
