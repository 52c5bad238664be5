"""A scan in the sandbox: whatever the file does to it, the answer is a report."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..converters import ModelFacts
from ..converters.errors import ModelError
from ..converters.facts import TensorSpec
from ..converters.messages import one_line
from .config import ScanOptions
from .findings import Failure, Label, Report, Verdict
from .sandbox import Confinement, Died, Limits, run_confined
from .versions import versions

__all__ = ["ConfinedScan", "limits_for", "scan_confined", "watch_scan"]

_CHECK = "sandbox"
_NAME = re.compile(r"\w[\w.-]{0,99}")
_MIB = 1 << 20


@dataclass(frozen=True)
class ConfinedScan:
    """A report, and how the process ended that made it.

    Attributes:
        report: inconclusive where the process died.
        died: how; None where the scan came to its end.
        peak_memory: of the process in bytes; 0 where the system does not tell.
    """

    report: Report
    died: Died | None
    peak_memory: int


def limits_for(options: ScanOptions, memory: int = 0) -> Limits:
    """The sandbox's limits for a scan: a day, or ample time for ``max_seconds``; half an hour without any progress.

    Args:
        options: of the scan.
        memory: bytes; 0 takes three quarters of the machine's.
    """
    usual = Limits(memory=memory)
    return usual if options.max_seconds is None else replace(usual, seconds=2 * options.max_seconds + 600)


def scan_confined(
    arguments: Mapping[str, object],
    limits: Limits,
    progress: Callable[[str, float], None],
    told: Callable[[str], None] = lambda line: None,
) -> Report:
    """``pipeline.scan`` in a confined process; if that dies, a report that is inconclusive and says why.

    Args:
        arguments: of ``pipeline.scan`` by name, without ``progress``.
        limits: what the process may use.
        progress: as for ``pipeline.scan``.
        told: called with each line that libraries write on standard error.

    Raises:
        OnnxrayError: as ``pipeline.scan``.
    """
    return watch_scan(arguments, limits, progress, told).report


def watch_scan(
    arguments: Mapping[str, object],
    limits: Limits,
    progress: Callable[[str, float], None],
    told: Callable[[str], None] = lambda line: None,
    *,
    environment: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ConfinedScan:
    """``scan_confined``, and what is known of the process: as for ``run_confined``, which has the same arguments.

    Raises:
        OnnxrayError: as ``pipeline.scan``.
    """
    path, options = arguments["path"], arguments.get("options", ScanOptions())
    if not isinstance(path, Path) or not isinstance(options, ScanOptions):
        raise TypeError(f"expected a Path and ScanOptions, got {path!r} and {options!r}")
    ended = run_confined(
        "onnxray.scanner.pipeline:scan",
        arguments,
        Report,
        limits,
        progress=progress,
        told=told,
        gpu=_may_use_gpu(options),
        environment=environment,
        stop=stop,
    )
    if not isinstance(ended, Died) and (complaint := _complaint(ended.value)):
        ended = Died("garbled", complaint, peak_memory=ended.peak_memory)
    if isinstance(ended, Died):
        return ConfinedScan(_of_death(path, ended, limits), ended, ended.peak_memory)
    report = ended.value
    report = replace(
        report,
        model=replace(report.model, path=str(path)),
        options={**report.options, _CHECK: _told(ended.confinement, limits)},
    )
    return ConfinedScan(report, None, ended.peak_memory)


def _may_use_gpu(options: ScanOptions) -> bool:
    devices = [*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("dxg")]
    return options.device == "cuda" or (options.device == "auto" and bool(devices))


def _complaint(report: Report) -> str:
    """What is wrong with the names in a report, of which files are made; "" if nothing is."""
    names = [e.detector for e in report.evidence] + [name for e in report.evidence for name in e.maps]
    if not re.fullmatch("[0-9a-f]{64}", report.model.sha256):
        return "its report has no sha256"
    bad = next((name for name in names if not _NAME.fullmatch(name)), None)
    return f"its report has the name {one_line(bad, 60)!r}" if bad is not None else ""


def _told(held: Confinement, limits: Limits) -> dict[str, object]:
    usual = {name: what or "not confined" for name, what in asdict(held).items()}
    return {**usual, "memory_mib": limits.most_memory // _MIB, "seconds": limits.seconds, "silence": limits.silence}


def _of_death(path: Path, died: Died, limits: Limits) -> Report:
    stage = f" while it was at {died.stage!r}" if died.stage else ""
    why = f"the confined process ended{stage}: {died.why}"
    reasons = (("sandbox-" + died.code, f"The scan did not come to its end; {why}. A file can be made to do that."),)
    return Report(
        model=_facts(path),
        verdict=Verdict(Label.INCONCLUSIVE, 0.0, (), reasons),
        failures=(Failure(_CHECK, why),),
        options={_CHECK: _told(Confinement(), limits)},
        versions=versions(),
    )


def _facts(path: Path) -> ModelFacts:
    """What can be known of a file without opening it."""
    from ..converters.limits import MAX_BYTES, read_file

    try:
        content = read_file(path, MAX_BYTES)
    except ModelError:  # a folder, or a file of another framework
        content = b""
    producer, opset = _claims(path, content)
    unknown = TensorSpec("", (), "")
    sha256 = hashlib.sha256(content).hexdigest()
    return ModelFacts(str(path), sha256, len(content), producer, opset, unknown, unknown, 0, ())


def _claims(path: Path, content: bytes) -> tuple[str, int]:
    """The producer and the operator set that the file names."""
    from ..converters.survey import survey

    try:
        root = survey(path, content).root
    except ModelError:
        return "", 0
    own = (o.integer("version") for o in root.messages("opset_import") if o.text("domain") in ("", "ai.onnx"))
    return one_line(f"{root.text('producer_name')} {root.text('producer_version')}"), next(own, 0)
