"""A driver of its own for the tests, to be killed: a diary has a line for every job that ended, and its processes."""

import os
import sys
import time
from pathlib import Path

from batch_fakes import catalog, done, scan
from onnxray.scanner.executors import local
from onnxray.scanner.executors.local import Local
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.sandbox import run_confined


def quick(job: Job, progress: object, **rest: object) -> Outcome:
    """Tenths of a second."""
    time.sleep(0.02 + int(job.sha256, 16) % 5 / 50)
    outcome: Outcome = done(job, "backdoored" if int(job.sha256, 16) % 3 == 0 else "clean")
    return outcome


def confined(job: Job, progress: object, **rest: object) -> Outcome:
    """A process of its own that does nothing for long."""
    run_confined("batch_fakes:slumber", {"seconds": 300.0}, float, progress=lambda text, fraction: note("asleep"))
    outcome: Outcome = done(job)
    return outcome


def note(line: str) -> None:
    """Add a line in one piece."""
    diary = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(diary, (line + "\n").encode())
    os.close(diary)


if __name__ == "__main__":
    work = {"quick": quick, "confined": confined}[sys.argv[3]]
    vars(local)["do"] = work
    note("began")
    scan(Path(sys.argv[1]), catalog(int(sys.argv[4])), Local(workers=2, memory=1 << 40, gpus="none"))
    note("finished")
