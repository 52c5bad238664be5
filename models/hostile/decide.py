"""What onnxray decides on a hostile file."""

from __future__ import annotations

from pathlib import Path

from ...scanner.errors import ModelError
from . import Case

__all__ = ["decision", "written"]

_GIB = 1 << 30


def written(case: Case, folder: Path) -> Path:
    """The case's file, in a folder of its own."""
    own = folder / case.name
    own.mkdir()
    made = case.make(own)
    path = own / f"{case.name}.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def decision(path: Path, expected: str, seconds: float) -> str:
    """ "refused", "contained", or the rule of the worst finding; the expected rule if it is among the findings.

    Args:
        path: the file.
        expected: of the case; a file that is to be contained is scanned, any other only audited.
        seconds: wall clock of the scan.
    """
    from ...scanner.audit import audit
    from ...scanner.audited_file import AuditedFile

    try:
        found = audit(AuditedFile.open(path)).findings
    except ModelError:
        return "refused"
    if expected == "contained":
        return _scanned(path, seconds)
    rules = [finding.rule for finding in found if finding.severity not in ("note", "low")]
    return expected if expected in rules else next(iter(rules), "nothing")


def _scanned(path: Path, seconds: float) -> str:
    from ...scanner.config import ScanOptions
    from ...scanner.confined_scan import scan_confined
    from ...scanner.findings import Label
    from ...scanner.sandbox import Limits

    arguments = {"path": path, "data": None, "options": ScanOptions(detectors=("last-layer",))}
    report = scan_confined(arguments, Limits(memory=3 * _GIB, seconds=seconds), lambda text, fraction: None)
    return "contained" if report.verdict.label is Label.INCONCLUSIVE and report.failures else report.verdict.label
