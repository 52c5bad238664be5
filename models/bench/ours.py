"""One scan by this tool, as a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...scanner.config import ScanOptions
from ...scanner.detection import plan
from ...scanner.findings import Label
from ...scanner.pipeline import scan
from ...scanner.signals import signals
from .record import Record, told

__all__ = ["most_suspicious", "scanned", "settings"]


def settings(seed: int) -> dict[str, Any]:
    """Everything that is set in a scan of the benchmark: what the tool ships."""
    return {"seed": seed, **{name: asdict(detector) for name, detector in plan(ScanOptions()).items()}}


def scanned(record: Record, model: Path, data: Path | None, seed: int) -> Record:
    """The record with what the product's own scan says, as it ships.

    Raises:
        OnnxrayError: the model cannot be scanned.
    """
    report = scan(model, data, ScanOptions(seed=seed, samples=max(2, record.samples_used)))
    verdict, measured = report.verdict, told(signals(report.evidence, report.evaluation, report.model.classes))
    return replace(
        record,
        classes=report.model.classes,
        label=verdict.label.value,
        score=verdict.score,
        named=verdict.targets,
        best=most_suspicious(measured),
        flagged=verdict.label in (Label.SUSPICIOUS, Label.BACKDOORED),
        convicted=verdict.label is Label.BACKDOORED,
        timings=dict(report.timings),
        reasons=tuple(dict.fromkeys(code for code, _ in verdict.reasons)),
        signals=measured,
        note=report.domain.domain.name if report.domain else "",
    )


def most_suspicious(measured: Mapping[str, Sequence[float | None]]) -> int | None:
    """The class with the largest sum of signals; None where nothing was measured or nothing is unusual."""
    if not measured:
        return None
    table = np.asarray([[0.0 if v is None else v for v in values] for values in measured.values()])
    total = table.sum(0)
    return int(total.argmax()) if total.max() > 0 else None
