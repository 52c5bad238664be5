"""What a model's input is taken to be where no pictures are at hand to find it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .domain import InputDomain
from .domain_candidates import candidates
from .domain_overrides import DomainOverrides
from .errors import SamplesError
from .samples import Samples
from .stored_preprocessing import stored_names, stored_preprocessing

if TYPE_CHECKING:
    from ..converters import Model, ModelFacts

__all__ = ["any_samples", "assumed_domain", "no_samples", "noise"]

_FREE = 32  # for an axis that the file leaves open
_NOISE = 16
_MOST_AXES = 4


def assumed_domain(model: Model, overrides: DomainOverrides | None = None) -> InputDomain:
    """What is given, else what a file beside the model says, else [0, 1] (whole bytes for an integer input).

    An input that fits no picture is taken as numbers in [0, 1], whatever its axes mean.

    Raises:
        SamplesError: more than four axes; a damaged file beside the model; overrides for an input that is no picture.
        OptionError: overrides that contradict the model.
    """
    overrides = overrides or DomainOverrides()
    stored = stored_preprocessing(model.path)
    try:
        first = candidates(model.facts, [_blank(model.facts)], overrides, stored)[0]
    except SamplesError:
        if str(overrides):
            raise
        return _unread(model.facts)
    return first.domain


def no_samples(model: Model, overrides: DomainOverrides | None = None) -> Samples:
    """Samples without a picture, for methods that need only the domain; raises as `assumed_domain`."""
    return _none_of(model, assumed_domain(model, overrides))


def any_samples(model: Model) -> Samples:
    """As `no_samples` where nothing is given, and for any number of axes.

    For more than four no domain can be told: a lone number stands for it, which the model refuses when it is run.

    Raises:
        SamplesError: a damaged file beside the model.
    """
    if len(model.facts.input.shape) <= _MOST_AXES:
        return no_samples(model)
    return _none_of(model, InputDomain("unknown", "flat", channels=1, height=1, width=1))


def _none_of(model: Model, domain: InputDomain) -> Samples:
    images = np.empty((0, domain.channels, domain.height, domain.width), np.float32)
    return Samples(images, np.empty(0, np.int64), domain, stored_names(model.path, model.classes))


def noise(domain: InputDomain) -> NDArray[np.float32]:
    """A few inputs drawn from all over the domain, in the model's own units."""
    shape = (_NOISE, domain.channels, domain.height, domain.width)
    return np.asarray(domain.to_input(np.random.default_rng(0).random(shape, np.float32)), np.float32)


def _blank(facts: ModelFacts) -> NDArray[np.uint8]:
    """Stands for the pictures where the file leaves their size or colours open."""
    return np.zeros((28, 28) if 1 in facts.input.shape[1:] else (224, 224, 3), np.uint8)


def _unread(facts: ModelFacts) -> InputDomain:
    axes = [size or _FREE for size in facts.input.shape[1:]]
    if len(axes) >= _MOST_AXES:
        raise SamplesError(f"{facts.path}: expected an input of at most four axes, got {len(axes) + 1}")
    layout = ("flat", "NHW", "NCHW")[len(axes) - 1]
    channels, height, width = [1] * (3 - len(axes)) + axes
    whole = facts.input.dtype == "uint8"
    name = "[0, 255]" if whole else "[0, 1]"
    return InputDomain(name, layout, channels, height, width, scale=255.0 if whole else 1.0)
