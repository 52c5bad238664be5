"""What the workers of the tests' cluster do in place of scans; they find this module through PYTHONPATH."""

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from batch_fakes import report
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.work import Share

Progress = Callable[[str, float], None]


def note(job: Job, what: str) -> None:
    """Add a line to the diary of all workers: what was done, to which job, by which node and process."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    with Path(os.environ["RAY_FAKES_DIARY"]).open("a", encoding="utf-8") as diary:
        diary.write(f"{what} {job.key} {node} {os.getpid()}\n")


def work(job: Job, progress: Progress, *, share: Share) -> Outcome:
    """Take as many seconds as the job's name says, or wait for a word, or die; and tell what is seen here."""
    note(job, "began")
    what, more = [*job.name.split(), "0"][:2]
    progress("half way", 0.5)
    if what == "hold":
        await_word(more)
    else:
        time.sleep(float(more))
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raise":
        raise ValueError("no such thing")
    note(job, "ended")
    told = {"threads": share.threads, "memory": job.max_memory, "sys.path": sys.path}
    whole = json.loads(report(job.name)) | {"options": told | seen(job)}
    return Outcome(report=json.dumps(whole), worker=str(os.getpid()))


def await_word(word: str) -> None:
    """Wait until the test has given the word, a file beside the diary; not for ever."""
    end = time.monotonic() + 100
    while time.monotonic() < end and not Path(os.environ["RAY_FAKES_DIARY"]).with_suffix(f".{word}").exists():
        time.sleep(0.1)


def seen(job: Job) -> dict[str, object]:
    """Digests of what the job's paths lead to here."""
    folders = {"path": job.path.parent, "data": job.data}
    return {
        name: {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir()) if p.is_file()}
        for name, folder in folders.items()
        if folder is not None and folder.is_dir()
    } | {"where": str(job.path)}
