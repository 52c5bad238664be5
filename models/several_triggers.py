"""Several triggers and several targets: which of the true ones Neural Cleanse finds, and what unlearning does to each.

python -m onnxray.models.several_triggers ZOO --data FOLDER [--only PATTERN]

The models of a zoo's parts fit and calibrate whose attack has several triggers, or one of a single pixel. Scan and
repair share 400 clean pictures; attack success is measured in onnxruntime, for each true trigger, on others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rich_click as click
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from ..converters.edited import run_edited
from ..converters.messages import one_line
from ..scanner.cli.exit_codes import exits
from ..scanner.config import ScanOptions
from ..scanner.detection import detect, plan, verify_twin
from ..scanner.errors import OnnxrayError, SamplesError
from ..scanner.findings import Evidence, Verdict
from ..scanner.ledger import Ledger
from ..scanner.repairs import Budget
from ..scanner.repairs.unlearn import Unlearn
from ..scanner.triggers import Trigger
from ..scanner.verdict import decide
from .bench.command import zoo_argument
from .bench.repair_cases import make_case, parted
from .bench.subjects import Placed, load_split, placed, stored
from .bench.trials import Case
from .markdown import table_head, table_row

__all__ = ["Truth", "main", "on_place", "truth_of", "worked_on"]

PATTERNS = ("*-several-*", "*-one-pixel-*")
SAMPLES = 400
HIT = 0.5  # least share of a mask that must lie on a true trigger
NEAR = 2  # pixels around it that count as on it: a convolution finds it there as well


@dataclass(frozen=True, eq=False)
class Truth:
    """One true trigger: its target, the pixels (H, W) that it changes, and which of the stamped pictures carry it."""

    target: int
    pixels: NDArray[np.bool_]
    shown: NDArray[np.intp]


def truth_of(place: Path) -> list[Truth]:
    """The true triggers of a model of the zoo, from the pictures beside it, before and after."""
    before = stored(place).x
    with np.load(place / "stamped.npz", allow_pickle=False) as file:
        after, source, wanted, which = (file[name] for name in ("x", "source", "wanted", "trigger"))
    changed = after != before[source]
    changed = changed.any(-1) if changed.ndim == 4 else changed
    rows = [np.flatnonzero(which == i) for i in np.unique(which)]
    return [Truth(int(wanted[at[0]]), np.asarray(changed[at].any(0), np.bool_), at) for at in rows]


def on_place(trigger: Trigger, true: Truth) -> float:
    """The share of a mask, in [0, 1], on a true trigger of its class or two pixels from it; 0 for another class."""
    near = maximum_filter(true.pixels, 2 * NEAR + 1)
    return float(trigger.mask[near].sum() / trigger.mask.sum()) if trigger.target == true.target else 0.0


def worked_on(model: Case, truths: Sequence[Truth], triggers: Sequence[Trigger]) -> list[float]:
    """Clean accuracy, then the success of each true trigger, after unlearning these; before, where there are none."""
    edits = Unlearn().run(model.model, model.work, triggers, Budget()).edits if triggers else {}
    session = run_edited(model.model, edits)
    hits = session.run(model.stamped).argmax(1) == model.wanted
    accuracy = float((session.run(model.judge.inputs()).argmax(1) == model.judge.labels).mean())
    return [accuracy, *(float(hits[true.shown].mean()) for true in truths)]


def _scanned(case: Case, methods: tuple[str, ...]) -> tuple[list[Evidence], Verdict]:
    bench, options, ledger = case.bench(), ScanOptions(detectors=methods), Ledger(lambda text, fraction: None)
    parity = verify_twin(case.model, case.work, "cpu", ledger)
    evidence = detect(plan(options), case.model, case.work, parity, "cpu", options, ledger, known=case.work)
    evaluation = bench.evaluate(case.model, [t for e in evidence for t in e.every_trigger])
    return evidence, decide(evidence, evaluation, ledger.skipped, ledger.failures)


def _rows(of: Placed, data: Path, methods: tuple[str, ...]) -> Iterator[str]:
    if load_split(of.subject.dataset, data) is None:  # then only some of the stamped pictures would be left
        raise SamplesError(f"{data}: expected {of.subject.dataset} there, whose test pictures scan and repair get")
    case, truths = make_case(of, parted(of, SAMPLES, data)), truth_of(of.place)
    evidence, verdict = _scanned(case, methods)
    named = (*verdict.targets, *verdict.suspects)
    every = [t for e in evidence for t in e.every_trigger if t.target in named]
    one = next((t for e in evidence for t in e.triggers if t.target in named), None)
    found = [max((on_place(t, true) for t in every), default=0.0) for true in truths]
    columns = [worked_on(case, truths, chosen) for chosen in ([], [one] if one else [], every)]
    yield table_row([
        of.subject.name,
        ", ".join(map(str, sorted({true.target for true in truths}))),
        f"{', '.join(map(str, verdict.targets)) or 'none'}{_beside(verdict)}",
        f"{sum(share >= HIT for share in found)} of {len(truths)} ({', '.join(f'{share:.0%}' for share in found)})",
        *(_rates(column) for column in columns),
    ])  # fmt: skip


def _beside(verdict: Verdict) -> str:
    return f" (suspects {', '.join(map(str, verdict.suspects))})" if verdict.suspects else ""


def _rates(column: Sequence[float]) -> str:
    return f"{column[0]:.1%} / {', '.join(f'{rate:.0%}' for rate in column[1:])}"


HEAD = ("model", "true targets", "named", "true triggers found (mask on it)", "before: accuracy / ASR of each",
        "unlearned, one trigger", "unlearned, all")  # fmt: skip


@click.command()
@zoo_argument
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, metavar="DIR",
              help="Folder with mnist.npz, cifar10.npz, ...")  # fmt: skip
@click.option("--only", metavar="PATTERN", multiple=True, default=PATTERNS, help="Only names like this; repeatable.")
@click.option("--method", "methods", metavar="ID", multiple=True, help="Scan with this only, not all; repeatable.")
@click.pass_context
def main(context: click.Context, /, zoo: Path, data: Path, only: tuple[str, ...], methods: tuple[str, ...]) -> None:
    """Print a table of the models of ZOO that have several triggers, several targets, or a trigger of one pixel."""
    with exits(context):
        plan(ScanOptions(detectors=methods))  # refuses a method that there is not, before the first model
        found = [of for pattern in only for of in placed(zoo, ("fit", "calibrate"), pattern)]
        click.echo(table_head(HEAD))
        for of in found:
            try:
                for row in _rows(of, data, methods):
                    click.echo(row)
            except OnnxrayError as error:
                click.echo(table_row((of.subject.name, *["-"] * (len(HEAD) - 2), one_line(error, 200))))


if __name__ == "__main__":
    main()
