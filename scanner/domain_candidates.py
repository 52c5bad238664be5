"""Every way of feeding pictures to a model that is worth a try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .conventions import Convention, conventions
from .domain import InputDomain
from .domain_overrides import DomainOverrides
from .errors import OptionError
from .fitting import Fit
from .layouts import Frame, frames
from .stored_preprocessing import Stored

if TYPE_CHECKING:
    from ..converters import ModelFacts

__all__ = ["Candidate", "candidates", "cropped"]

_CROPPED_FROM = 64  # smaller models are trained on whole pictures
_CENTRE_CROP = 0.875  # of the shorter side: 224 of 256


@dataclass(frozen=True)
class Candidate:
    """A convention for one layout, and how pictures reach its size; ``stored``: a file beside the model says so."""

    domain: InputDomain
    fit: Fit
    stored: bool = False

    @property
    def name(self) -> str:
        """The convention in words, and the crop if there is one."""
        return f"{self.domain.name}, {self.fit}" if self.fit.crop else self.domain.name


def candidates(
    facts: ModelFacts, images: Sequence[NDArray[Any]], overrides: DomainOverrides, stored: Stored | None
) -> tuple[Candidate, ...]:
    """All candidates, the stored one first, then the commonest.

    Raises:
        SamplesError: the input's shape holds no pictures.
        OptionError: nothing agrees with the overrides.
    """
    found = frames(facts.input.shape, images, stored.size if stored else None, facts.path)
    result: list[Candidate] = []
    for frame in overrides.frames(found):
        known = conventions(frame.channels, facts.input.dtype, min(frame.size))
        said = stored.for_channels(frame.channels) if stored else None
        said = next((c for c in known if said and c.affine == said.affine), said)  # by its common name if it has one
        table = [said, *known] if said else known
        for convention in overrides.conventions(table, frame.channels):
            domain = _domain(convention, frame, len(found) > 1)
            is_stored = said is not None and convention.affine == said.affine
            result.append(Candidate(domain, stored.fit if stored else Fit(), is_stored))
    if not result:
        readings = " or ".join(f"{f.layout} of {f.channels} channel{'s' * (f.channels > 1)}" for f in found)
        shape = ", ".join("?" if size is None else str(size) for size in facts.input.shape)
        raise OptionError(
            f"{facts.path}: its input ({shape}) can be read as {readings}, which contradicts {overrides}; correct that "
            "or leave it out"
        )
    return tuple(sorted(result, key=lambda c: not c.stored))


def cropped(whole: Sequence[Candidate], images: Sequence[NDArray[Any]]) -> list[Candidate]:
    """The candidates with the usual centre crop; none where all pictures have the model's size or that is tiny."""

    def differs(size: tuple[int, int]) -> bool:
        return min(size) >= _CROPPED_FROM and any(image.shape[:2] != size for image in images)

    fitting = [c for c in whole if c.fit.crop is None and differs((c.domain.height, c.domain.width))]
    return [replace(c, fit=replace(c.fit, crop=_CENTRE_CROP), stored=False) for c in fitting]


def _domain(convention: Convention, frame: Frame, several: bool) -> InputDomain:
    return InputDomain(
        name=f"{convention.name}, {frame.layout}" if several else convention.name,
        layout=frame.layout,
        channels=frame.channels,
        height=frame.height,
        width=frame.width,
        scale=convention.scale,
        mean=convention.mean,
        std=convention.std,
        bgr=convention.bgr,
    )
