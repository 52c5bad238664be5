"""A driver of its own for the tests: eight jobs, less those that an earlier one has written down as ended."""

import json
import sys
from pathlib import Path

from onnxray.scanner.executors import _ray_flight
from onnxray.scanner.executors.ray import Ray
from onnxray.scanner.jobs import Job


def main(address: str, folder: str, ended: Path) -> None:
    _ray_flight.WORK = "ray_fakes:work"
    done = ended.read_text(encoding="utf-8").split() if ended.exists() else []
    model = Path(folder) / "model.onnx"
    model.write_bytes(b"weights")
    keys = [f"kill-{n}" for n in range(8)]
    jobs = [Job(key=key, name="slow 1", path=model, sha256="0" * 64, size_bytes=7) for key in keys if key not in done]
    for job, outcome in Ray(address=address).run(jobs):
        assert outcome.report, outcome.error
        assert folder not in json.loads(outcome.report)["sys.path"]
        with ended.open("a", encoding="utf-8") as file:
            file.write(job.key + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
