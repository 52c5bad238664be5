"""Put mutants to what reads files: the audit in this process, conversion and inference in the sandbox."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from ...converters.errors import OnnxrayError
from ...scanner.sandbox import Died, Limits, run_confined
from .gentle import gentle_mutants
from .mutants import mutants, seeds

__all__ = ["Outcome", "audited", "confined", "open_each", "watched"]

GIB = 1 << 30
Progress = Callable[[str, float], None]


@dataclass
class Outcome:
    """What came of the mutants.

    Attributes:
        mutants: how many there were.
        kinds: outcome -> how often: "audited", "refused", "opened", "died: ..." and so on.
        broken: mutants that raised what they should not have, or on which a rule broke: what, how often.
        slowest: seconds for the slowest.
        kept: files that belong to `broken`, for whoever wants to look.
    """

    mutants: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    kept: dict[str, bytes] = field(default_factory=dict)

    def note(self, what: str, content: bytes) -> None:
        """Count a defect and keep the first file that shows it."""
        self.broken[what] += 1
        self.kept.setdefault(what, content)


def audited(seed: int, count: int, folder: Path, progress: Progress = lambda text, fraction: None) -> Outcome:
    """Audit mutants in this process; anything but findings or an error of ours is a defect.

    Args:
        folder: where each mutant lies while it is audited.
    """
    from ...scanner.audit import audit
    from ...scanner.audited_file import AuditedFile

    found, path = Outcome(), folder / "mutant.onnx"
    for i, content in enumerate(mutants(Random(seed), seeds(), count)):
        path.write_bytes(content)
        started = perf_counter()
        try:
            result = audit(AuditedFile.open(path))
            found.kinds["audited"] += 1
            for failure in result.failures:
                found.note(f"rule {failure.check}: {failure.why[:80]}", content)
        except OnnxrayError:
            found.kinds["refused"] += 1
        except Exception as error:  # noqa: BLE001 - what a fuzz run is for
            found.note(f"{type(error).__name__}: {error}"[:120], content)
        found.slowest = max(found.slowest, perf_counter() - started)
        found.mutants += 1
        progress("audit", i / count)
    return found


def confined(seed: int, count: int, folder: Path, limits: Limits, progress: Progress = lambda t, f: None) -> Outcome:
    """Open, run and convert mutants in the sandbox; a child that dies is an outcome, and the next goes on after it."""
    paths = []
    for i, content in enumerate(gentle_mutants(Random(seed), seeds(), count)):
        paths.append(folder / f"{i:06}.onnx")
        paths[-1].write_bytes(content)
    found, first = Outcome(mutants=count), 0
    while first < count:
        reached = [first]

        def moved(text: str, fraction: float, reached: list[int] = reached) -> None:
            if text.isdigit():
                reached[0] = int(text)
            progress("sandbox", reached[0] / count)

        ended = run_confined(
            "onnxray.models.fuzz.run:open_each",
            {"folder": folder, "first": first},
            dict[str, int],
            limits,
            progress=moved,
        )
        if isinstance(ended, Died):
            found.kinds[f"died: {ended.code}"] += 1
            found.kinds["before a death"] += reached[0] - first
            found.kept.setdefault(f"died: {ended.why}", paths[reached[0]].read_bytes())
            first = reached[0] + 1
        else:
            found.kinds.update(ended.value)
            break
    return found


def open_each(folder: Path, first: int, progress: Progress) -> dict[str, int]:
    """The confined side: everything that a scan does with a file before it searches."""
    kinds: Counter[str] = Counter()
    for path in sorted(folder.glob("*.onnx"))[first:]:
        progress(str(int(path.stem)), 0.0)
        try:
            kinds[_opened(path)] += 1
        except OnnxrayError:
            kinds["refused"] += 1
        except MemoryError:
            kinds["refused memory"] += 1
        except Exception as error:  # noqa: BLE001 - told by its class; a scan would tell it as an internal error
            kinds[f"fault: {type(error).__name__}"] += 1
    return dict(kinds)


def _opened(path: Path) -> str:
    import numpy as np

    from ...converters import TwinError, open_model

    model = open_model(path)
    zeros = np.zeros([2, *(size or 1 for size in model.facts.input.shape[1:])], np.float32)
    model.run(zeros)
    try:
        model.build_twin(zeros)
    except TwinError:
        return "run"
    return "run and converted"


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Note every file that this process opens to write, and every socket and program, outside the folder."""
    noted: list[str] = []
    active = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not active[0]:
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & 3:
            if not str(arguments[0]).startswith((str(folder), "/dev/null")):
                noted.append(f"wrote {arguments[0]}")
        elif event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.exec", "os.remove"):
            noted.append(f"{event} {arguments[:1]}")

    sys.addaudithook(hook)  # stays for the life of the process; Python has no way to take one out
    try:
        yield noted
    finally:
        active[0] = False
