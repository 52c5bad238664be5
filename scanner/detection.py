"""Choose the detectors, give each what it needs, and keep going when one of them breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from traceback import format_exc
from typing import TYPE_CHECKING

from ..converters.messages import one_line
from .assumed_domain import noise
from .detectors import Budget, Detector, Needs
from .errors import ModelError, OptionError
from .findings import Evidence
from .ledger import Ledger
from .registry import build, plugins

if TYPE_CHECKING:
    from ..converters import Model, Parity
    from .config import ScanOptions
    from .samples import Samples
    from .surrogates import Surrogates
    from .training_data import TrainingSet

__all__ = ["detect", "plan", "resolve_device", "verify_twin"]

FAMILY = "onnxray.scanner.detectors"


def plan(options: ScanOptions) -> dict[str, Detector]:
    """The detectors to run, id -> method with its options.

    Raises:
        OptionError: a detector or an option that does not exist, an option for a detector that is not run, or a time
            that is none.
    """
    if options.max_seconds is not None and not options.max_seconds > 0:
        raise OptionError(f"expected max_seconds above 0, got {options.max_seconds}")
    known = plugins(FAMILY, Detector)  # type: ignore[type-abstract]
    usual = options.detectors or tuple(name for name, kind in known.items() if not kind.on_request)
    chosen = tuple(dict.fromkeys((*usual, *options.also)))
    for name in (*chosen, *options.settings):
        if name not in known:
            raise OptionError(f"there is no detector {name!r}; there are {', '.join(known)}")
    if unused := sorted(set(options.settings) - set(chosen)):
        raise OptionError(f"options were given for {', '.join(unused)}, which is not among the detectors to run")
    return {name: build(known[name], options.settings.get(name, {})) for name in chosen}


def verify_twin(model: Model, samples: Samples, device: str, ledger: Ledger) -> Parity | None:
    """Make the torch twin and hold it against onnxruntime; a twin that fails is told in the ledger, not raised.

    Without samples it is held against noise from all over their domain.
    """
    try:
        parity = model.build_twin(samples.inputs() if len(samples) else noise(samples.domain), device)
    except ModelError as error:  # the twin's, or of a model of token ids that does not run on just any numbers
        ledger.failed("twin-parity", str(error))
        return None
    ledger.check("twin-parity")
    return parity


def detect(
    detectors: Mapping[str, Detector],
    model: Model,
    samples: Samples | None,
    parity: Parity | None,
    device: str,
    options: ScanOptions,
    ledger: Ledger,
    training: TrainingSet | None = None,
    known: Samples | None = None,
) -> list[Evidence]:
    """Run every detector that is due and has what it needs; the rest, and those that break, are told in the ledger.

    The time counts from the scan's start. Methods that nominate run first, and their evidence comes last.

    Args:
        samples: the optimisation half; None where the model's input domain is unknown, so that no picture can be
            put to it in a form that it understands; empty where none were given.
        parity: of the twin; None where there is none.
        known: all clean samples, for networks of our own; those that judge triggers may be among them.
        training: the set under suspicion; without one, methods that need it are not due unless asked for by name.
    """
    deadline = float("inf") if options.max_seconds is None else ledger.started + options.max_seconds
    surrogates = _surrogates(model, known, options.seed, device) if samples is not None else None
    budget = Budget(deadline, options.seed, device, ledger.progress, training=training, surrogates=surrogates)
    evidence: list[Evidence] = []
    for name, detector in sorted(detectors.items(), key=_turn):
        if detector.stands_in and name not in options.named and not _due(evidence, detectors, parity):
            continue
        if Needs.TRAINING in detector.needs and training is None and name not in options.named:
            continue
        if lack := _lack(detector, samples, training, parity is not None):
            ledger.skip(name, lack)
            continue
        if Needs.SURROGATES in detector.needs and surrogates is None:
            why, short = _unlearnable(known, model.classes)
            ledger.skip(name, why, due=short)
            continue
        try:
            measured = _measured(detector, model, samples, replace(budget, nominated=_nominated(evidence, detectors)))
        except Exception as error:  # noqa: BLE001 - one method's end is a failure to be told, not the end of the scan
            ledger.failed(name, f"{type(error).__name__}: {one_line(error, 300)}", format_exc())
            continue
        if idle := _idle(measured):
            ledger.skip(name, idle, due=False)
            continue
        evidence += measured
        late = any(e.details.get("complete") is False for e in measured)
        ledger.check(name, "was stopped by --max-seconds before it had finished" if late else None)
    return sorted(evidence, key=lambda e: e.detector in detectors and detectors[e.detector].nominates)


def resolve_device(device: str) -> str:
    """ "auto" becomes "cuda" where torch can use one, else "cpu".

    Raises:
        OptionError: cuda was asked for and torch cannot use it, or an unknown name.
    """
    import torch

    usable = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if usable else "cpu"
    if device not in ("cpu", "cuda"):
        raise OptionError(f"expected device auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not usable:
        raise OptionError("device cuda was asked for, but torch finds no usable CUDA device; use --device cpu")
    return device


def _idle(measured: Sequence[Evidence]) -> str:
    """Why a method had nothing to look at, as it tells itself; "" where it had."""
    told = [str(e.details.get("not_checked") or "") for e in measured]
    return told[0] if told and all(told) else ""


def _surrogates(model: Model, samples: Samples | None, seed: int, device: str) -> Surrogates | None:
    if samples is None or not len(samples):
        return None
    from .surrogates import make_surrogates

    return make_surrogates(samples, model.classes, seed, device)


def _unlearnable(samples: Samples | None, classes: int) -> tuple[str, bool]:
    """Why there are no surrogates, and whether that is for want of pictures."""
    from .surrogates import unlearnable

    return unlearnable(samples, classes)


def _measured(detector: Detector, model: Model, samples: Samples | None, budget: Budget) -> list[Evidence]:
    """What a detector measures; on the CPU, which is told in the details, where the GPU's memory does not do."""
    import torch

    try:
        return list(detector.run(model, samples, budget))
    except torch.OutOfMemoryError:
        if budget.device == "cpu":
            raise
    budget.progress("the GPU's memory is too small: starting again on the CPU", 0.0)
    twin = model.torch.to("cpu")  # outside the handler, whose traceback holds on to what filled the memory
    torch.cuda.empty_cache()
    told = {"device": f"cpu, as the memory of {budget.device} is too small"}
    try:
        measured = list(detector.run(model, samples, replace(budget, device="cpu")))
    finally:
        twin.to(budget.device)  # another method may do with less
    return [replace(e, details={**e.details, **told}) for e in measured]


def _turn(item: tuple[str, Detector]) -> int:
    """Methods that nominate, then those that search, then those that stand in for them."""
    return 2 * item[1].stands_in - item[1].nominates


def _nominated(evidence: Sequence[Evidence], detectors: Mapping[str, Detector]) -> tuple[int, ...]:
    named = (c for e in evidence if e.detector in detectors and detectors[e.detector].nominates for c in e.flagged)
    return tuple(dict.fromkeys(named))


def _due(evidence: Sequence[Evidence], detectors: Mapping[str, Detector], parity: Parity | None) -> bool:
    """Whether a method without gradients is: none with them has searched, or along smoothed decisions, as of trees."""
    searched = [detectors[e.detector] for e in evidence if e.detector in detectors]
    followed = any(Needs.GRADIENTS in d.needs and not d.nominates for d in searched)
    return not followed or (parity is not None and parity.smoothed)


def _lack(detector: Detector, samples: Samples | None, training: TrainingSet | None, has_twin: bool) -> str | None:
    if Needs.TRAINING in detector.needs and training is None:
        return "needs the training set that is under suspicion; give it with --training-data"
    if Needs.SAMPLES in detector.needs and training is not None and training.images is None:
        return "works on pictures, and this model takes rows of numbers"
    if (Needs.SAMPLES | Needs.TRAINING) & detector.needs and samples is None:
        return "the model's input domain is unknown, so the pictures cannot be put to it"
    if Needs.GRADIENTS in detector.needs and not has_twin:
        return "needs gradients, and there is no verified torch twin"
    if Needs.SAMPLES in detector.needs and samples is not None and not len(samples):
        return "needs clean pictures; give them with --data"
    if samples is not None and len(samples) < detector.min_samples:
        return f"needs {detector.min_samples} clean pictures to optimise on, got {len(samples)}; give more with --data"
    return None
