"""The pictures of a scan and the domain that they settle; or, without pictures, the domain that has to be assumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .assumed_domain import no_samples
from .domain_search import find_domain
from .images import load_images

if TYPE_CHECKING:
    from ..converters import Model
    from .config import ScanOptions
    from .domain import DomainChoice
    from .ledger import Ledger
    from .samples import Samples

__all__ = ["gather"]


def gather(
    model: Model, data: Path | None, options: ScanOptions, ledger: Ledger
) -> tuple[DomainChoice | None, Samples]:
    """The choice of input domain, None where it is only assumed, and the samples, of which there are none then.

    What could not be found out is told in the ledger.

    Raises:
        SamplesError, OptionError: the data, a file beside the model or an option is wrong.
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
    choice, samples = find_domain(model, images, options.overrides, options.seed)
    ledger.check("input-domain", None if choice.beats_chance else choice.complaint)
    return choice, samples
