"""A filter from file to file: find or take triggers -> add the outputs -> measure on held-out pictures -> write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..converters import open_model
from ..converters.atomic_copy import write_copy
from ..converters.edited import activations
from .errors import RepairError
from .findings import Rate
from .registry import build, plugins
from .repair_bench import Bench, Progress
from .repair_report import RepairOptions
from .repairs import Budget, Repair
from .trigger_files import load_triggers, require_fitting
from .triggers import Trigger

__all__ = ["FilterReport", "add_filter"]

FLAG = "trojaned"


@dataclass(frozen=True)
class FilterReport:
    """What a filter does, measured in onnxruntime on pictures that it has not seen.

    Attributes:
        model: path of the original.
        sha256: of the original.
        out: the file with the two outputs more.
        note: what was added.
        threshold: of ``trojaned_score``; more is flagged.
        false_positives: clean pictures that are flagged.
        missed: where a trigger came from, the trigger, and how many pictures of other classes under it are not flagged.
    """

    model: str
    sha256: str
    out: Path
    note: str
    threshold: float
    false_positives: Rate
    missed: tuple[tuple[str, Trigger, Rate], ...]

    def to_json(self) -> str:
        """As ``onnxray/filter/1``."""
        told = {
            "schema": "onnxray/filter/1",
            "model": {"path": self.model, "sha256": self.sha256},
            "output": self.out.name,
            "score": "trojaned_score",
            "flag": FLAG,
            "threshold": self.threshold,
            "false_positives": _told(self.false_positives),
            "missed": [{"trigger": source, "target": t.target, **_told(rate)} for source, t, rate in self.missed],
        }
        return json.dumps(told, indent=2)


def add_filter(
    path: Path, data: Path, out: Path, options: RepairOptions, trigger_path: Path | None = None,
    measured: Sequence[Path] = (), progress: Progress = lambda text, fraction: None,
) -> FilterReport:  # fmt: skip
    """Write the model with outputs that flag stamped inputs, and beside it a .json with the threshold.

    Args:
        path: the model; never modified.
        data: clean labelled pictures; half are worked on, half judge.
        trigger_path: triggers to flag, as ``trigger_files.load_triggers`` takes them; None scans for them.
        measured: further trigger files that only judge.

    Raises:
        OnnxrayError: the model, the data, a trigger or an option is wrong, or no trigger was found.
    """
    bench = Bench.open(path, data, options, progress)
    method = build(plugins("onnxray.scanner.repairs", Repair)["filter"], options.settings.get("filter", {}))  # type: ignore[type-abstract]
    known = [("found by a scan", t) for t in bench.scan(bench.model, options.seed)[1]] if trigger_path is None else []
    known += _loaded([trigger_path] if trigger_path else [], bench)
    judging = known + _loaded(measured, bench)
    if not known:
        raise RepairError(f"{path}: the scan found no trigger to filter; give one with --trigger if you know it")
    if len(bench.work) < method.min_samples:
        have = len(bench.work) + len(bench.judge)
        raise RepairError(f"{data}: a filter needs {2 * method.min_samples} clean samples, got {have}")
    repaired = method.run(
        bench.model, bench.work, [t for _, t in known], Budget(seed=options.seed, device=bench.device)
    )
    if repaired.proto is None:
        raise RepairError(f"{path}: no filter could be built")
    write_copy(out, repaired.proto.SerializeToString(), {}, [path])
    threshold = float(str(repaired.details["threshold"]))
    report = FilterReport(
        str(path), bench.model.facts.sha256, out, repaired.note, threshold, *_measured(bench, out, judging)
    )
    write_copy(out.with_suffix(".json"), report.to_json().encode(), {}, [path])
    return report


def _loaded(paths: Sequence[Path], bench: Bench) -> list[tuple[str, Trigger]]:
    found = [(str(path), trigger) for path in paths for trigger in load_triggers(path)]
    for source, trigger in found:
        require_fitting(trigger, bench.work, bench.model.classes, source)
    return found


def _measured(
    bench: Bench, out: Path, triggers: Sequence[tuple[str, Trigger]]
) -> tuple[Rate, tuple[tuple[str, Trigger, Rate], ...]]:
    """How many clean pictures are flagged, and for each trigger how many stamped ones of other classes are not."""
    model = open_model(out, scores=bench.model.facts.output.name)

    def flags(inputs: NDArray[np.float32]) -> NDArray[np.bool_]:
        return np.asarray(activations(model, [FLAG], inputs)[FLAG], bool)

    missed = []
    for source, trigger in triggers:
        others = bench.judge.outside([trigger.target])
        stamped = np.ascontiguousarray(others.domain.to_input(trigger.stamp(others.images)), np.float32)
        missed.append((source, trigger, Rate.of(~flags(stamped)) if len(others) else Rate(0, 0)))
    return Rate.of(flags(bench.judge.inputs())), tuple(missed)


def _told(rate: Rate) -> dict[str, float | int]:
    return {"rate": rate.value, "hits": rate.hits, "trials": rate.trials}
