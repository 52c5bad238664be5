"""The pictures of a scan and the domain that they settle; or, without pictures, the domain that has to be assumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..converters.messages import one_line
from .assumed_domain import no_samples
from .domain_search import find_domain
from .errors import UnfitSamplesError
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

    What could not be found out is told in the ledger.

    Raises:
        SamplesError, OptionError: the data, a file beside the model or an option is wrong.
        UnfitSamplesError: the data is another model's, and the options are not tolerant of that.
    """
    if data is None:
        samples = no_samples(model, options.overrides)
        said = "given" if options.overrides.fixed else "assumed"
        ledger.skip(
            "input-domain",
            f"there are no pictures to find it with: {samples.domain.name} and {samples.domain.layout} are {said}; "
            "give clean labelled pictures with --data",
        )
        return None, samples
    images = load_images(data, limit=options.samples, seed=options.seed)
    try:
        choice, samples = find_domain(model, images, options.overrides, options.seed)
    except UnfitSamplesError as error:
        if not options.tolerant:
            raise
        told = one_line(str(error).replace(str(model.path), "the model"), 300)
        ledger.skip("input-domain", f"the pictures do not fit the model, which was looked at without them: {told}")
        return None, no_samples(model, options.overrides)
    ledger.check("input-domain", None if choice.beats_chance else choice.complaint)
    return choice, samples


def gather_with_training(
    model: Model, data: Path | None, training_data: Path | None, options: ScanOptions, ledger: Ledger
) -> tuple[DomainChoice | None, Samples, TrainingSet | None]:
    """As `gather`, and the training set that is under suspicion.

    Without clean samples the domain is found with the training set, of which no sample is handed on as clean.

    Raises:
        SamplesError, OptionError: as `gather`; or the training set is wrong.
    """
    from .training_data import pictures, rows

    if training_data is None:
        return (*gather(model, data, options, ledger), None)
    suspects = rows(training_data, model)
    if suspects is not None and data is None:
        ledger.skip("input-domain", "the training data are rows of numbers: methods that work on pictures do not apply")
        return None, no_samples(model, options.overrides), suspects
    choice, samples = gather(model, data or training_data, options, ledger)
    if choice is not None and suspects is None:
        suspects = pictures(training_data, model, choice)
    return choice, samples if data else samples.take(np.empty(0, np.intp)), suspects
