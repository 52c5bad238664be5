"""The pictures of a scan and the domain that they settle; or, without pictures, the domain that has to be assumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..converters.messages import one_line
from .assumed_domain import any_samples, no_samples
from .domain_search import find_domain
from .errors import ModelError, OnnxrayError, OptionError, SamplesError, UnfitSamplesError
from .images import load_images

if TYPE_CHECKING:
    from ..converters import Model
    from .config import ScanOptions
    from .domain import DomainChoice
    from .ledger import Ledger
    from .samples import Samples
    from .training_data import TrainingSet

__all__ = ["gather", "gather_with_training"]


def gather(
    model: Model, data: Path | None, options: ScanOptions, ledger: Ledger
) -> tuple[DomainChoice | None, Samples]:
    """The choice of input domain, None where it is only assumed, and the samples, of which there are none then.

    What could not be found out is told in the ledger; where the options are tolerant, so is what does not fit.

    Raises:
        SamplesError, OptionError: the data, a file beside the model or an option is wrong.
        UnfitSamplesError: the data is another model's.
        ModelError: the model runs on no form of the pictures.
    """
    if data is None:
        samples, wrong = _assumed(model, options)
        ledger.skip("input-domain", f"there are no pictures to find it with{wrong or _reading(samples, options)}")
        return None, samples
    images = load_images(data, limit=options.samples, seed=options.seed)
    try:
        choice, samples = find_domain(model, images, options.overrides, options.seed)
    except (UnfitSamplesError, OptionError, ModelError) as error:
        if not options.tolerant:
            raise
        samples, why = _unread(model, options, error)
        ledger.skip("input-domain", why)
        return None, samples
    ledger.check("input-domain", None if choice.beats_chance else choice.complaint)
    return choice, samples


def _assumed(model: Model, options: ScanOptions) -> tuple[Samples, str]:
    """No samples, of the domain that is given or assumed; and in words what of it does not fit, "" if all does."""
    try:
        return no_samples(model, options.overrides), ""
    except (SamplesError, OptionError) as error:
        if not options.tolerant:
            raise
        left_out = f"; {options.overrides} was left out" if str(options.overrides) else ""
        return any_samples(model), f"{left_out}; {_told(model, error)}"


def _unread(model: Model, options: ScanOptions, error: OnnxrayError) -> tuple[Samples, str]:
    """No samples, for a model that the pictures do not fit as they are given; and that in words."""
    samples, wrong = _assumed(model, options)
    if isinstance(error, OptionError):
        samples, wrong = any_samples(model), str(error)
    and_options = f" and {options.overrides}" if wrong and str(options.overrides) else ""
    what = f"the pictures{and_options} do not fit the model, which was looked at without them"
    return samples, f"{what}: {_told(model, error)}"


def _reading(samples: Samples, options: ScanOptions) -> str:
    said = "given" if options.overrides.fixed else "assumed"
    domain = samples.domain
    return f": {domain.name} and {domain.layout} are {said}; give clean labelled pictures with --data"


def _untrained(model: Model, error: OnnxrayError) -> str:
    return f"it does not fit the model, which was looked at without it: {_told(model, error)}"


def _told(model: Model, error: OnnxrayError) -> str:
    return one_line(str(error).replace(str(model.path), "the model"), 300)


def gather_with_training(
    model: Model, data: Path | None, training_data: Path | None, options: ScanOptions, ledger: Ledger
) -> tuple[DomainChoice | None, Samples, TrainingSet | None]:
    """As `gather`, and the training set that is under suspicion, None where it does not fit and that is tolerated.

    Without clean samples the domain is found with the training set, of which no sample is handed on as clean.

    Raises:
        SamplesError, OptionError, ModelError: as `gather`; or the training set is wrong.
    """
    from .training_data import rows

    if training_data is None:
        return (*gather(model, data, options, ledger), None)
    try:
        suspects = rows(training_data, model)
    except UnfitSamplesError as error:
        if not options.tolerant:
            raise
        ledger.skip("training-data", _untrained(model, error))
        return (*gather(model, data, options, ledger), None)
    if suspects is not None and data is None:
        samples, wrong = _assumed(model, options)
        why = f"the training data are rows of numbers: methods that work on pictures do not apply{wrong}"
        ledger.skip("input-domain", why)
        return None, samples, suspects
    choice, samples = gather(model, data or training_data, options, ledger)
    if suspects is None:
        suspects = _suspects(model, training_data, choice, options, ledger)
    return choice, samples if data else samples.take(np.empty(0, np.intp)), suspects


def _suspects(
    model: Model, training_data: Path, choice: DomainChoice | None, options: ScanOptions, ledger: Ledger
) -> TrainingSet | None:
    """The training set's pictures; where they do not fit, or there is no domain to put them in, that is told."""
    from .training_data import pictures

    if choice is None:
        ledger.skip("training-data", "its pictures cannot be put to the model, for the input domain is unknown")
        return None
    try:
        return pictures(training_data, model, choice)
    except UnfitSamplesError as error:
        if not options.tolerant:
            raise
        ledger.skip("training-data", _untrained(model, error))
        return None
