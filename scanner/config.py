"""What a scan is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .domain_search import DomainOverrides

if TYPE_CHECKING:
    from .detectors import Detector

__all__ = ["DEFAULTS", "ScanOptions"]


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """Everything that changes a report besides the model and the data.

    Attributes:
        seed: of all randomness.
        samples: most clean pictures used, chosen evenly over the classes; half optimise, half verify.
        detectors: ids of the methods to run; empty for all but those on request.
        also: ids of methods to run beside those.
        settings: options of single methods, id -> option -> value.
        max_seconds: time from the scan's start after which the detectors stop; what did not finish is told and forbids
            "clean".
        device: "auto", "cpu" or "cuda".
        overrides: what the user knows about the model's input.
        scores: the output that holds the scores, where the file has several; None if that is plain.
        calibration: file of the calibration that the score is made with; None for the shipped one.
        tolerant: whether a model that the pictures, the training set or the overrides do not fit is scanned without
            them, and its report says so, as one of many that share them; else that is an error.
    """

    seed: int = 0
    samples: int = 200
    detectors: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    max_seconds: float | None = None
    device: str = "auto"
    overrides: DomainOverrides = field(default_factory=DomainOverrides)
    scores: str | None = None
    calibration: Path | None = None
    tolerant: bool = False

    @property
    def named(self) -> frozenset[str]:
        """The methods that were asked for by name."""
        return frozenset((*self.detectors, *self.also))

    def told(self, detectors: Mapping[str, Detector], device: str) -> dict[str, object]:
        """The options as a report shows them: every detector with all its values, and the device really used."""
        return {
            "seed": self.seed,
            "samples": self.samples,
            "max_seconds": self.max_seconds,
            "device": device,
            "detectors": {name: asdict(detector) for name, detector in detectors.items()},
            "overrides": asdict(self.overrides),
            "scores": self.scores,
            "calibration": str(self.calibration) if self.calibration else "shipped",
        }


DEFAULTS = ScanOptions()
