"""Repairs tried on a model whose true trigger is known: clean accuracy and attack success, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...converters.edited import run_edited, run_graph
from ...converters.messages import one_line
from ...scanner.errors import OnnxrayError
from ...scanner.findings import Rate
from ...scanner.repair_bench import Bench
from ...scanner.repair_report import RepairOptions
from ...scanner.repairs import Budget, Repair, Requires
from ...scanner.triggers import Trigger

if TYPE_CHECKING:
    from ...converters import Model
    from ...converters.runtime import Session
    from ...scanner.samples import Samples

__all__ = ["Case", "Trial", "judged", "trials"]

Status = Literal["done", "nothing", "failed"]


@dataclass(frozen=True, eq=False)
class Case:
    """A trojaned model with what a user has and what only its maker knows.

    Attributes:
        work: clean samples that scan and repair may use.
        verify: those that the scan judges its triggers on.
        judge: the accuracy is measured on them.
        stamped: (N, ...) pictures under the true trigger, none of ``work``, in the model's own domain.
        wanted: (N,) the class that the attacker wants of each.
    """

    name: str
    model: Model
    work: Samples
    verify: Samples
    judge: Samples
    stamped: NDArray[np.float32]
    wanted: NDArray[np.int64]

    def bench(self) -> Bench:
        """What repairs are tried on, as the product sets it up."""
        return Bench(self.model, self.work, self.verify, "cpu", RepairOptions(), lambda text, fraction: None)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one method did.

    Attributes:
        method: "" for the model as it was.
        status: "nothing" where the method says that it cannot or need not do anything.
        note: what was done, or why nothing was.
        accuracy: on samples that neither scan nor repair has seen; None if there is no repaired model.
        attack: of the true trigger.
        reversed_attack: of the most successful trigger that the scan had found, in [0, 1]; None where it found none.
        seconds: of the repair alone.
    """

    method: str
    status: Status = "done"
    note: str = ""
    accuracy: Rate | None = None
    attack: Rate | None = None
    reversed_attack: float | None = None
    seconds: float = 0.0


def trials(case: Case, methods: Mapping[str, Repair], seed: int = 0, scan: bool = True) -> Iterator[Trial]:
    """The model as it was, then after each method, which always starts from the original.

    Args:
        scan: look for triggers first; without, no method gets one.

    Raises:
        OnnxrayError: the model cannot be scanned.
    """
    bench, triggers, found = case.bench(), list[Trigger](), "not scanned"
    if scan:
        verdict, triggers = bench.scan(case.model, seed)
        found = f"{len(triggers)} triggers found; {verdict.label.value}"
    yield judged(case, case.model, triggers, Trial(method="", note=found))
    for name, method in methods.items():
        yield _tried(case, bench, name, method, triggers, seed)


def _tried(case: Case, bench: Bench, name: str, method: Repair, triggers: list[Trigger], seed: int) -> Trial:
    if Requires.TRIGGERS in method.needs and not triggers:
        return Trial(method=name, status="nothing", note="needs a trigger, and the scan convicted no class")
    if len(case.work) < method.min_samples:
        needs = f"needs {method.min_samples} clean samples to work on, got {len(case.work)}"
        return Trial(method=name, status="nothing", note=needs)
    if Requires.GRADIENTS in method.needs and (why := bench.twin_problem(case.model)):
        return Trial(method=name, status="nothing", note=why)
    started = monotonic()
    try:
        repaired = method.run(case.model, case.work, triggers, Budget(seed=seed))
    except OnnxrayError as error:
        why = one_line(str(error).removeprefix(f"{case.model.path}: "), 300)
        return Trial(method=name, status="nothing", note=why, seconds=monotonic() - started)
    except Exception as error:  # noqa: BLE001 - what breaks one method is a result, not the end of the others
        return Trial(method=name, status="failed", note=f"{type(error).__name__}: {one_line(error, 300)}")
    seconds, proto = monotonic() - started, repaired.proto
    session = run_edited(case.model, repaired.edits) if proto is None else run_graph(case.model, proto)
    return judged(case, session, triggers, Trial(method=name, note=repaired.note, seconds=seconds))


def judged(case: Case, model: Model | Session, triggers: Sequence[Trigger], trial: Trial) -> Trial:
    """The trial with what onnxruntime says of the model that came out of it."""
    accuracy = Rate.of(model.run(case.judge.inputs()).argmax(1) == case.judge.labels)
    attack = Rate.of(model.run(case.stamped).argmax(1) == case.wanted)
    found = max((_reversed(case, model, trigger) for trigger in triggers), default=None)
    return replace(trial, accuracy=accuracy, attack=attack, reversed_attack=found)


def _reversed(case: Case, model: Model | Session, trigger: Trigger) -> float:
    others = case.judge if trigger.mapping else case.judge.outside([trigger.target])
    inputs: NDArray[Any] = np.ascontiguousarray(others.domain.to_input(trigger.stamp(others.images)), np.float32)
    return float((model.run(inputs).argmax(1) == trigger.wanted(others.labels)).mean())
