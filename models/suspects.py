"""Scan a folder of third-party models whose truth was measured, and print how often the verdict is right.

The folder holds ``manifest.json``: under "labelled" and "catalog" a list of {"file", "dataset" or
"data_and_preprocessing", "trojaned": true | false | null, "target",
"trigger": in words}; the data folder holds one ``<dataset>.npz`` each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import rich_click as click
from rich.console import Console
from rich.table import Table

from ..scanner.accusations import accusations
from ..scanner.config import ScanOptions
from ..scanner.errors import OnnxrayError
from ..scanner.findings import Evidence, Label, Report
from ..scanner.pipeline import scan


@dataclass(frozen=True)
class Suspect:
    """One model with what is known of it; ``trojaned`` None where its truth could not be settled."""

    path: Path
    data: Path
    trojaned: bool | None
    target: int | str | None
    trigger: str = ""

    @property
    def all_to_one(self) -> bool:
        """Whether one trigger pulls every class into one target: what Neural Cleanse claims to find."""
        return bool(self.trojaned) and isinstance(self.target, int) and "source-specific" not in self.trigger.lower()

    @property
    def truth(self) -> str:
        """In words."""
        return {True: f"trojaned → {self.target}", False: "clean", None: "unsettled"}[self.trojaned]


LABELS = ("backdoored", "suspicious", "clean", "inconclusive", "error")
KINDS: dict[str, Callable[[Suspect], bool]] = {
    "all-to-one backdoor": lambda s: s.all_to_one,
    "other backdoor": lambda s: bool(s.trojaned) and not s.all_to_one,
    "clean": lambda s: s.trojaned is False,
    "unsettled": lambda s: s.trojaned is None,
}


@dataclass(frozen=True)
class Outcome:
    """What the scan said of a suspect: a report, or the error that ended it."""

    suspect: Suspect
    report: Report | None
    error: str
    seconds: float

    @property
    def label(self) -> str:
        """The verdict's word, or "error"."""
        return self.report.verdict.label.value if self.report else "error"

    @property
    def convicted(self) -> bool:
        """Whether the verdict is "backdoored"."""
        return self.label == Label.BACKDOORED

    @property
    def right_target(self) -> bool:
        """Whether the true target is the one convicted class."""
        return self.report is not None and self.report.verdict.targets == (self.suspect.target,)


def read_manifest(folder: Path, data: Path, part: str) -> Iterator[Suspect]:
    """The suspects of one part of the manifest whose data set is at hand."""
    for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))[part]:
        words = str(entry.get("dataset") or entry.get("data_and_preprocessing") or "").split()
        images = data / f"{words[0] if words else 'none'}.npz"
        if images.is_file():
            known = {key: entry.get(key) for key in ("trojaned", "target")}
            yield Suspect(folder / entry["file"], images, **known, trigger=str(entry.get("trigger", "")))


def examine(suspect: Suspect, options: ScanOptions) -> Outcome:
    """Scan one suspect; a model that cannot be scanned is an outcome too."""
    started = monotonic()
    try:
        report, error = scan(suspect.path, suspect.data, options), ""
    except OnnxrayError as problem:
        report, error = None, str(problem)
    return Outcome(suspect, report, error, monotonic() - started)


def table(outcomes: list[Outcome]) -> Table:
    """One row a model: truth, verdict, and the figures that the verdict rests on."""
    out = Table(
        "model", "truth", "verdict", "targets", "clean acc.", "size ratio", "p", "ASR", "settled", "s", "", title=None
    )
    for o in outcomes:
        targets = ",".join(map(str, o.report.verdict.targets)) if o.report else ""
        out.add_row(
            o.suspect.path.stem[:44], o.suspect.truth, o.label, targets, *_figures(o), f"{o.seconds:.0f}", _mark(o)
        )
    return out


def summary(outcomes: list[Outcome]) -> Table:
    """One row a kind of model: how many there are, and how many got each verdict."""
    out = Table("kind", "models", *LABELS, "right target", title=None)
    for kind, chosen in KINDS.items():
        those = [o for o in outcomes if chosen(o.suspect)]
        counts = [sum(o.label == label for o in those) for label in LABELS]
        right = sum(o.convicted and o.right_target for o in those)
        if those:
            out.add_row(kind, str(len(those)), *map(str, counts), str(right) if those[0].suspect.trojaned else "-")
    return out


def nominations(outcomes: list[Outcome]) -> Table:
    """One row for each model and method without triggers: what it says of the truth, and what it costs."""
    out = Table(
        "model", "truth", "method", "rank of target", "flagged", "p", "s", "of neural-cleanse's time", title=None
    )
    for o in (o for o in outcomes if o.report):
        evidence = o.report.evidence if o.report else ()
        searched = next((e.seconds for e in evidence if e.detector == "neural-cleanse"), None)
        for e in (e for e in evidence if not e.triggers and e.detector != "neural-cleanse"):
            share = f"{e.seconds / searched:.1%}" if searched else "-"
            p = "-" if e.p_value is None else f"{e.p_value:.4f}"
            flagged = ",".join(map(str, e.flagged)) or "-"
            rank = str(rank_of(e, o.suspect.target)) if o.suspect.all_to_one else "-"
            out.add_row(
                o.suspect.path.stem[:44], o.suspect.truth, e.detector, rank, flagged, p, f"{e.seconds:.1f}", share
            )
    return out


def rank_of(evidence: Evidence, target: int | str | None) -> int:
    """The place of a class, the most suspicious first, from 1 on and behind its equals; 0 for what is no class."""
    if not isinstance(target, int) or not 0 <= target < len(evidence.classes):
        return 0
    values = np.asarray(evidence.classes) * (-1 if evidence.large else 1)
    ahead = values <= values[target]
    return int(ahead.sum()) if ahead.any() else len(values)  # NaN is behind all


def _figures(o: Outcome) -> tuple[str, ...]:
    if o.report is None or o.report.evaluation is None:
        return (o.error[:40], "", "", "", "")
    accused = min(accusations(o.report.evidence, o.report.evaluation), key=lambda a: a.ratio, default=None)
    accuracy = f"{o.report.evaluation.clean_accuracy.value:.3f}"
    if accused is None:
        return (accuracy, "", "", "", "")
    settled = o.report.evidence[0].details.get("settled", 0.0)
    figures = (accused.ratio, accused.p_value, accused.success.value, settled)
    return (accuracy, *(f"{figure:.2f}" for figure in figures))


def _mark(o: Outcome) -> str:
    if o.suspect.trojaned is None:
        return "-"
    right = o.convicted and o.right_target if o.suspect.trojaned else o.label == Label.CLEAN
    return "right" if right else "MISS"


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--part", type=click.Choice(["labelled", "catalog"]), default="labelled", show_default=True)
@click.option("--only", default="", help="Only models whose file name contains this.")
@click.option("--samples", default=200, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--detector", "detectors", multiple=True, help="Method to run, may be repeated; if left out, all due.")
def main(folder: Path, data: Path, part: str, only: str, samples: int, seed: int, detectors: tuple[str, ...]) -> None:
    """Scan every image model of FOLDER whose data set is in --data and print the verdicts beside the truth."""
    console = Console(width=150)
    outcomes = []
    suspects = [s for s in read_manifest(folder, data, part) if only in s.path.name]
    with console.status("") as status:
        for number, suspect in enumerate(suspects, 1):
            status.update(f"{number} of {len(suspects)}: {suspect.path.name}")
            outcomes.append(examine(suspect, ScanOptions(samples=samples, seed=seed, detectors=detectors)))
            console.print(f"{suspect.path.name}: {outcomes[-1].label}, {outcomes[-1].seconds:.0f} s", style="dim")
    console.print(table(outcomes))
    console.print(nominations(outcomes))
    console.print(summary(outcomes))


if __name__ == "__main__":
    main()
