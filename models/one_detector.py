"""One detector on models whose truth is known: whom it flags, how its score ranks them, which class comes first.

python -m onnxray.models.one_detector ZOO --detector free-eagle [--part fit] [--samples 0]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import median

import numpy as np
import rich_click as click
from numpy.typing import NDArray

from ..converters.messages import one_line
from ..scanner.cli.exit_codes import exits
from ..scanner.config import ScanOptions
from ..scanner.detection import plan
from ..scanner.errors import OnnxrayError, OptionError
from ..scanner.findings import Evidence
from ..scanner.pipeline import scan
from ..scanner.signals import signals
from .bench.command import only_option, zoo_argument
from .bench.record import Subject
from .bench.statistics import auc
from .bench.subjects import Placed, choose, pictures, placed
from .markdown import table_head, table_row

__all__ = ["Asked", "asked", "table"]

NEVER_ONE = ("all-to-all", "several-targets", "source-specific", "graph-backdoor")
GROUPS = (*NEVER_ONE, "one target, all others", "all trojaned")


@dataclass(frozen=True)
class Asked:
    """What the detector said of one model.

    Attributes:
        strength: of each class, its signals added up; NaN where it told nothing.
    """

    subject: Subject
    evidence: Evidence
    strength: NDArray[np.float64]

    @property
    def first(self) -> bool:
        """Whether the most suspicious class is a target."""
        return bool(self.strength.max() > 0) and int(self.strength.argmax()) in self.subject.targets

    def belongs(self, group: str) -> bool:
        """Whether it is one of a group of trojaned models."""
        attack = self.subject.attack
        of_one = bool(attack) and attack not in NEVER_ONE
        return {attack: bool(attack), GROUPS[-2]: of_one, GROUPS[-1]: bool(attack)}.get(group, False)


def asked(model: Placed, detector: str, samples: int) -> Asked:
    """Run it, as a scan does, with so many clean pictures.

    Raises:
        OnnxrayError: the model or its pictures cannot be read, or the detector cannot be run on it.
    """
    options = ScanOptions(detectors=(detector,), samples=samples or ScanOptions().samples)
    if samples:
        with pictures(choose(model, samples, None)) as data:
            report = scan(model.model, data, options)
    else:
        report = scan(model.model, None, options)
    if not report.evidence:
        raise OptionError(f"{model.model}: {detector} did not run: {[note.why for note in report.skipped]}")
    evidence = report.evidence[0]
    known = signals([evidence], report.evaluation, len(evidence.classes))
    strength = np.sum(list(known.values()), axis=0) if known else np.full(len(evidence.classes), nan)
    return Asked(model.subject, evidence, strength)


def table(found: Sequence[Asked]) -> Iterator[str]:
    """Rows in Markdown: the area of the method's score beside clean models, how often a target came first, flags."""
    told = [a for a in found if np.isfinite(a.strength).any()]
    clean = [a for a in told if not a.subject.trojaned]
    yield table_head(("models", "number", "AUC", "a target is first", "flagged", "rightly"))
    flagged = sum(bool(a.evidence.flagged) for a in clean)
    yield table_row(("clean", str(len(clean)), "-", "-", str(flagged), "-"))
    for group in GROUPS:
        some = [a for a in told if a.belongs(group)]
        area = auc([a.evidence.score for a in some], [a.evidence.score for a in clean])
        if area is None:
            continue
        named = [a for a in some if a.evidence.flagged]
        right = sum(not set(a.subject.targets).isdisjoint(a.evidence.flagged) for a in named)
        interval = f"{area.value:.2f} [{area.lower:.2f}, {area.upper:.2f}]"
        yield table_row((group, *map(str, (len(some), interval, sum(a.first for a in some), len(named), right))))
    seconds = median(a.evidence.seconds for a in found)
    yield f"\n{len(found) - len(told)} models of which it tells nothing; {seconds:.1f} seconds a model (median)."


@click.command()
@zoo_argument
@click.option("--detector", required=True, help="Its id.")
@click.option("--part", "parts", multiple=True, default=("fit", "calibrate"), show_default=True)
@click.option("--samples", default=0, show_default=True, help="Clean pictures; 0 for none.")
@only_option
@click.pass_context
def main(context: click.Context, /, zoo: Path, detector: str, parts: tuple[str, ...], samples: int, only: str) -> None:
    """Run one detector on the models of ZOO, and print in Markdown whom it flags and which class comes first."""
    with exits(context):
        plan(ScanOptions(detectors=(detector,)))  # refuses a method that there is not, before the first model
        found = []
        for model in placed(zoo, parts, only):
            try:
                found.append(asked(model, detector, samples))
            except OnnxrayError as error:  # a model of text, for example; the others go on
                click.echo(f"{model.subject.name} is left out: {one_line(error, 300)}", err=True)
                continue
            click.echo(f"{len(found)} {model.subject.name}: flags {list(found[-1].evidence.flagged)}", err=True)
        if not found:
            raise OptionError(f"{zoo}: {detector} could be run on none of the models")
        for row in table(found):
            click.echo(row)


if __name__ == "__main__":
    main()
