"""A driver of its own for the tests, to be killed: a batch of eight models with its store in the folder."""

import json
import sys
from pathlib import Path

from onnxray.scanner.batch import BatchOptions, Tally, Watcher, run_batch
from onnxray.scanner.catalog import Catalog, Entry
from onnxray.scanner.executors import _ray_flight
from onnxray.scanner.executors.ray import Ray
from onnxray.scanner.jobs import Job, Outcome
from onnxray.scanner.store import Store


class Strict(Watcher):
    """Looks at what has come back."""

    def ended(self, job: Job, outcome: Outcome, tally: Tally) -> None:
        assert not outcome.error, outcome.error
        with Path("ended.txt").open("a", encoding="utf-8") as file:
            file.write(".")
        assert str(Path.cwd()) not in json.loads(outcome.report)["options"]["sys.path"]


def main(address: str, folder: Path) -> None:
    model = folder / "model.onnx"
    model.write_bytes(b"weights")
    entries = tuple(Entry(f"slow 1 {n}", model, f"{n:064x}", 7) for n in range(8))
    _ray_flight.WORK = "ray_fakes:work"
    with Store.open(folder / "store.sqlite") as store:
        tally = run_batch(Catalog(entries), store, Ray(address=address), BatchOptions(), Strict())
    assert tally.done == 8


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
