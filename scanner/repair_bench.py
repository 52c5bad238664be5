"""What a repair is tried on: the model, samples to work on and others to judge with, and a scan that looks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .config import ScanOptions
from .detection import FAMILY, detect, plan, resolve_device, verify_twin
from .detectors import Detector
from .domain_search import find_domain
from .errors import SamplesError
from .evaluate import evaluate
from .findings import Evaluation, Label, Verdict
from .images import load_images
from .ledger import Ledger
from .opening import open_running
from .registry import plugins
from .samples import Samples
from .training_data import TrainingSet, pictures
from .triggers import Trigger
from .verdict import decide

if TYPE_CHECKING:
    from ..converters import Model
    from .repair_report import RepairOptions

__all__ = ["Bench", "Progress", "accuses"]

FEW = 20  # a search for triggers needs so many; of fewer samples each counts once more for every way it is moved
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Bench:
    """Everything that stays the same while methods are tried.

    Attributes:
        model: the original.
        work: samples that repairs and searches may use.
        judge: held out; every number that is reported is measured on them. Where there are fewer than `FEW` in all,
            they are those to work on: half of ten would be too few for every method.
        device: for twins.
        options, progress: of the run.
        training: the training set under suspicion; None where none was given.
    """

    model: Model
    work: Samples
    judge: Samples
    device: str
    options: RepairOptions
    progress: Progress
    training: TrainingSet | None = None

    @classmethod
    def open(
        cls, path: Path, data: Path, options: RepairOptions, progress: Progress, training_data: Path | None = None
    ) -> Bench:
        """Open the model and read the samples under the convention that the model wants.

        Raises:
            OnnxrayError: the model or the data is wrong, or the model is no better than guessing on it.
        """
        device = resolve_device(options.device)
        progress("opening", 0.0)
        model = open_running(path, options.scores)
        images = load_images(data, limit=options.samples, seed=options.seed)
        choice, samples = find_domain(model, images, options.overrides, options.seed)
        if not choice.beats_chance:
            raise SamplesError(f"{data}: {choice.complaint}")
        work, judge = samples.halves(options.seed) if len(samples) >= FEW else (samples, samples)
        training = None if training_data is None else pictures(training_data, model, choice)
        return cls(model, work, judge, device, options, progress, training)

    def twin_problem(self, model: Model) -> str:
        """Build a model's twin; "" or why it has none."""
        ledger = Ledger(self.progress)
        parity = verify_twin(model, self.work.draw(64, self.options.seed), self.device, ledger)
        return "" if parity is not None else ledger.failures[-1].why

    def evaluate(self, model: Model, triggers: list[Trigger]) -> Evaluation:
        """Clean accuracy and attack success on the held-out samples."""
        return evaluate(model, self.judge, triggers)

    def scan(self, model: Model, seed: int) -> tuple[Verdict, list[Trigger]]:
        """A verdict by all methods, as a scan's, and the triggers of the classes that it names."""
        ledger = Ledger(self.progress)
        few = self.work.draw(self.options.scan_samples, seed)
        few = few.moved() if len(few) < FEW else few
        parity = verify_twin(model, few, self.device, ledger)
        if parity is None:
            ledger.failures.clear()  # the search without gradients stands in, and its evidence never acquits
        known = plugins(FAMILY, Detector)  # type: ignore[type-abstract]
        settings = {name: chosen for name, chosen in self.options.settings.items() if name in known}
        options = ScanOptions(seed=seed, settings=settings, device=self.device)
        evidence = detect(plan(options), model, few, parity, self.device, options, ledger, known=self.work)
        evaluation = self.evaluate(model, [t for e in evidence for t in e.every_trigger])
        verdict = decide(evidence, evaluation, ledger.skipped, ledger.failures)
        guilty = (*verdict.targets, *verdict.suspects) if accuses(verdict) else ()
        return verdict, [t for e in evidence for t in e.every_trigger if t.target in guilty]


def accuses(verdict: Verdict | None) -> bool:
    """Whether a verdict names classes that triggers are sought of, or were found."""
    return verdict is not None and verdict.label in (Label.BACKDOORED, Label.SUSPICIOUS)
