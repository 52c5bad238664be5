"""The command line with scans that only look at the file's beginning: ``quick_program.py honest|sloppy ARGUMENTS``."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from onnxray.scanner.catalog import local as local_file
from onnxray.scanner.cli import main
from onnxray.scanner.executors import local
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.scratch import scratch_folder

MODE = sys.argv.pop(1)
DISTURBED = any("killed" in argument for argument in sys.argv)


def quick(job: Job, progress: object, **rest: object) -> Outcome:
    """Tenths of a second; the sloppy one is wrong in as many ways as it can."""
    time.sleep(0.3)
    if MODE == "sloppy":
        tempfile.mkdtemp()
        if DISTURBED:
            subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL, start_new_session=True)
            sys.stderr.write("Traceback (most recent call last):\n")
        return Outcome(report=report(job, "clean" if DISTURBED else "suspicious"), peak_memory=1 << 20)
    with scratch_folder() as folder, local_file(job, Path(folder)) as path:
        sound = path.read_bytes()[:2] == b"\x08\x08" and len(path.read_bytes()) > 80_000
    label = ("clean", "suspicious")[int(job.sha256, 16) % 2]
    return Outcome(report=report(job, label), peak_memory=1 << 20) if sound else Outcome(error="no model")


def report(job: Job, label: str) -> str:
    """The least that a report may hold."""
    model = {
        "path": job.name, "sha256": job.sha256, "bytes": 1, "producer": "", "opset": 17, "classes": 10,
        "input": {"name": "x", "shape": [], "layout": None, "range": None, "dtype": "", "preprocessing": None},
        "class_names": [], "converted": "",
    }  # fmt: skip
    verdict = {"label": label, "score": 0.5, "targets": [], "reasons": [], "explanations": []}
    empty: dict[str, object] = {key: [] for key in ("evidence", "findings", "coverage", "proofs")}
    nothing: dict[str, object] = {"evaluation": None, "parity": None, "timings": {}, "options": {}, "versions": {}}
    tool = {"name": "onnxray", "version": "0"}
    whole = {"schema": "onnxray/report/1", "tool": tool, "model": model, "verdict": verdict, "limits": ""}
    return json.dumps(whole | empty | nothing)


if __name__ == "__main__":
    vars(local)["do"] = quick
    main()
