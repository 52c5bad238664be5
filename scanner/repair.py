"""One repair: find triggers -> try methods in order -> judge in onnxruntime -> scan again -> keep the best -> write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

from ..converters.messages import one_line
from .detection import FAMILY as DETECTORS
from .detectors import Detector
from .errors import OnnxrayError, OptionError
from .findings import Label, Rate, Verdict
from .registry import build, plugins
from .repair_bench import FEW, Bench, Progress, accuses
from .repair_report import Attempt, RepairOptions, RepairReport
from .repair_state import State, write
from .repairs import Budget, Repair, Repaired, Requires
from .trigger_files import load_triggers, require_fitting
from .triggers import Trigger

__all__ = ["repair"]

FAMILY = "onnxray.scanner.repairs"
PARTS = (0.8, 0.6, 0.4)
"""Of the way from the old weights to the trained ones; tried in this order where the whole way costs too much."""
DEFAULTS = RepairOptions()


def repair(
    path: Path,
    data: Path,
    out: Path,
    options: RepairOptions = DEFAULTS,
    trigger_path: Path | None = None,
    progress: Progress = lambda text, fraction: None,
    training_data: Path | None = None,
) -> RepairReport:
    """Take the backdoor out of a model, if that can be done within the tolerance, and write the result.

    Args:
        path: the model; never modified.
        data: clean labelled pictures, in any form that ``images.load_images`` reads.
        out: where the repaired model goes, in one step; nothing is written unless it is better.
        trigger_path: triggers to close, as ``trigger_files.load_triggers`` takes them; None scans for them.
        progress: called with what is being done and the fraction done in [0, 1].
        training_data: the model's training set, for methods that need it; with "auto" these are tried first.

    Raises:
        OnnxrayError: the model, the data, the trigger or an option is wrong; the message says which and what to do.
    """
    methods = _methods(options, training_data is not None)
    given = [] if trigger_path is None else load_triggers(trigger_path)
    bench = Bench.open(path, data, options, progress, training_data)
    for trigger in given:
        require_fitting(trigger, bench.work, bench.model.classes, str(trigger_path))
    verdict, triggers = (None, given) if given else bench.scan(bench.model, options.seed)
    with tempfile.TemporaryDirectory(prefix="onnxray-repair-") as folder:
        start = State(bench.model, bench.evaluate(bench.model, triggers), tuple(triggers))
        done = list(_attempts(bench, methods, start, Path(folder), options.method != "auto", accuses(verdict)))
        best = _best([(attempt, state) for attempt, state in done if state is not None])
        summary = None if best is None else write(bench.model, best[1], out)
    attempts = tuple(attempt for attempt, _ in done)
    return RepairReport(
        model=bench.model.facts,
        out=None if best is None else out,
        method="" if best is None else best[0].method,
        before=start.evaluation if best is None else bench.evaluate(bench.model, list(best[1].triggers)),
        after=None if best is None else best[1].evaluation,
        attempts=attempts,
        edited={} if summary is None else summary,
        added=0 if best is None else best[1].added,
        scan=verdict,
        reason="" if best is not None else _reason(verdict, triggers, attempts),
        notes=tuple(_notes(bench)),
        options=options,
    )


def _methods(options: RepairOptions, with_training: bool = False) -> dict[str, Repair]:
    """The repairs to try, id -> method with its options, in order.

    Raises:
        OptionError: a method or an option that does not exist, or an option for a method that is not tried.
    """
    known = plugins(FAMILY, Repair)  # type: ignore[type-abstract]
    if options.method != "auto" and options.method not in known:
        raise OptionError(f"there is no repair {options.method!r}; there are auto, {', '.join(known)}")
    if options.method in known and not known[options.method].changes_answers:
        raise OptionError(f"{options.method} changes no answer, so no repair; use onnxray {options.method}")
    ranked = sorted((n for n in known if known[n].rank), key=lambda name: known[name].rank)
    ranked = [n for n in known if with_training and Requires.TRAINING in known[n].needs] + ranked
    chosen = ranked if options.method == "auto" else [options.method]
    scanners = plugins(DETECTORS, Detector)  # type: ignore[type-abstract]
    if unused := sorted(set(options.settings) - set(chosen) - set(scanners)):
        raise OptionError(f"options were given for {', '.join(unused)}, which is not among the methods to try")
    return {name: build(known[name], options.settings.get(name, {})) for name in chosen}


def _attempts(
    bench: Bench, methods: dict[str, Repair], start: State, folder: Path, named: bool, accused: bool
) -> Iterator[tuple[Attempt, State | None]]:
    """Every attempt, with the state that it reached if that may be kept; ends with the first that a scan acquits.

    Without a trigger only a method that needs none is tried, where the scan accuses a class all the same, or which was
    asked for by name, has the training set, or finds by itself what it closes.
    """
    for name, method in methods.items():
        blind = accused and Requires.TRIGGERS not in method.needs
        if not (named or blind or method.applies(start.model, start.triggers)):
            continue
        state = start
        for turn in range(1, bench.options.rounds + 1):
            attempt, state_after, kept = _attempt(bench, name, method, state, start, folder / f"{name}-{turn}", turn)
            yield attempt, state_after if kept else None
            if kept and attempt.rescan is not None and attempt.rescan.label is Label.CLEAN:
                return
            if kept or state_after is None:
                break
            state = state_after


def _attempt(
    bench: Bench, name: str, method: Repair, state: State, start: State, folder: Path, turn: int
) -> tuple[Attempt, State | None, bool]:
    """One run of a method: the attempt, the state from which another round may go on, and whether to keep it."""
    started, options = monotonic(), bench.options
    blind = options.method == "auto" and not method.applies(state.model, state.triggers)  # only an acquittal tells
    note, evaluation, rescan, after, kept = "", None, None, None, False
    problem = _lack(bench, method, state)
    if not problem:
        try:
            budget = Budget(
                seed=options.seed + turn, device=bench.device, progress=bench.progress, training=bench.training
            )
            repaired = method.run(state.model, bench.work, state.triggers, budget)
            note, new, problem = _applied(bench, method, repaired, state, start, folder)
            evaluation = new.evaluation
            if not problem:
                rescan, found = bench.scan(new.model, options.seed + 1000 * turn)
                kept = rescan.label is Label.CLEAN or (rescan.label is not Label.BACKDOORED and not blind)
                problem = "" if kept else _still(rescan)
                after = new if kept else new.facing(found, bench)
        except OnnxrayError as error:
            problem = one_line(error, 300)
    return Attempt(name, turn, note, problem, evaluation, rescan, monotonic() - started), after, kept


def _applied(
    bench: Bench, method: Repair, repaired: Repaired, state: State, start: State, folder: Path
) -> tuple[str, State, str]:
    """What was done, the state that it leads to, and why that is not good enough, "" if it is.

    Trained weights that cost too much are tried again part of the way from the old ones: the most of it that will do,
    where there are triggers that tell whether it does.
    """
    before, options = start.evaluation.clean_accuracy, bench.options
    new = state.apply(repaired, folder / "whole", bench)
    problem = _complaint(new, before, options)
    if _lost(new, before) <= options.tolerance or not (method.trains and state.triggers):
        return repaired.note, new, problem
    for share in PARTS:
        part = state.part_way(repaired, share)
        eased = state.apply(part, folder / f"{share:.0%}", bench)
        if not _complaint(eased, before, options):
            return part.note, eased, ""
    return repaired.note, new, problem


def _lack(bench: Bench, method: Repair, state: State) -> str:
    """What the method needs and there is not; "" if there is all."""
    if Requires.TRIGGERS in method.needs and not state.triggers:
        return "needs a trigger, and none was found; give one with --trigger"
    if Requires.TRAINING in method.needs and bench.training is None:
        return "needs the model's training set; give it with --training-data"
    if len(bench.work) < method.min_samples:
        return (
            f"needs {2 * method.min_samples} clean samples, half of them to work on, got "
            f"{len(bench.work) + len(bench.judge)}; give more with --data"
        )
    if Requires.GRADIENTS in method.needs and (why := bench.twin_problem(state.model)):
        return f"needs gradients, and there is no torch twin: {why}"
    return ""


def _complaint(state: State, before: Rate, options: RepairOptions) -> str:
    """Why a result is not good enough; "" if it is."""
    lost = _lost(state, before)
    if lost > options.tolerance:
        return f"costs {100 * lost:.1f} points of clean accuracy, {100 * options.tolerance:g} are allowed"
    worst = max((rate.value for _, rate in state.evaluation.attack_success), default=0.0)
    if worst > options.dead:
        return f"a trigger still works on {worst:.0%} of the held-out samples, {options.dead:.0%} are allowed"
    return ""


def _lost(state: State, before: Rate) -> float:
    """The share of held-out samples that are no longer right, rounded, so that it compares with a tolerance."""
    return round(before.value - state.evaluation.clean_accuracy.value, 9)


def _still(rescan: Verdict) -> str:
    if rescan.label is not Label.BACKDOORED:
        return f"there is no trigger to measure it by, and the re-scan with a fresh seed says {rescan.label.value}"
    return f"the re-scan with a fresh seed still finds a backdoor, of class {', '.join(map(str, rescan.targets))}"


def _best(kept: Sequence[tuple[Attempt, State]]) -> tuple[Attempt, State] | None:
    """The one that its re-scan trusts most, then with the least attack success, then the most accuracy."""
    order = [Label.CLEAN, Label.INCONCLUSIVE, Label.SUSPICIOUS, Label.BACKDOORED]

    def badness(pair: tuple[Attempt, State]) -> tuple[int, float, float]:
        attempt, state = pair
        attack = max((rate.value for _, rate in state.evaluation.attack_success), default=0.0)
        label = attempt.rescan.label if attempt.rescan else Label.BACKDOORED
        return order.index(label), attack, -state.evaluation.clean_accuracy.value

    return min(kept, key=badness, default=None)


def _reason(verdict: Verdict | None, triggers: Sequence[Trigger], attempts: Sequence[Attempt]) -> str:
    if not triggers and not attempts:
        label = verdict.label.value if verdict else "none"
        return f"the scan's verdict is {label}: it found no trigger to close; give one with --trigger if you know it"
    if not triggers:
        return "the scan accuses a class, but found no trigger to close, and no method that needs none is acquitted"
    return "no method closed every trigger within the tolerance of clean accuracy"


def _notes(bench: Bench) -> Iterator[str]:
    if bench.judge is bench.work:
        yield (
            f"With {len(bench.work)} clean pictures none was held out: all figures are of the pictures that were "
            f"worked on. Give {FEW} or more with --data."
        )
    seen = set(bench.judge.labels.tolist())
    if missing := [str(c) for c in range(bench.model.classes) if c not in seen]:
        shown = ", ".join(missing[:10]) + (" ..." if len(missing) > 10 else "")
        yield f"There are no held-out samples of class {shown}: what the repair does to them was not measured."
