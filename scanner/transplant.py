"""What all poisoned samples share, put into other samples: if these turn into the target too, it is a trigger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .findings import Rate
from .triggers import Trigger

if TYPE_CHECKING:
    from ..converters import Model
    from .training_data import TrainingSet

__all__ = ["SURE", "Transplant", "common_patch", "common_tokens", "put_behind", "surely", "transplant"]

SURE = ((0.8, 0.05), (0.5, 0.01))
"""Lower end of the success, and share of the picture, of what is a trigger whatever else is known.

The smaller a patch, the fewer samples a clean model's class can gain by it; words count as the larger one.
"""

_WORKS = 0.2  # lower end of the success of what may be a trigger
_MOST = 400  # samples on either side
_BAND = 0.15  # a pixel's values are called the same within so much of their median, of a range of 1
_ALWAYS, _APART = 0.9, 0.5  # share of the suspicious that hold a token or a pixel's value, and by how much more


class Transplant(NamedTuple):
    """What was found, as a patch or as tokens, and its success."""

    success: Rate
    trigger: Trigger | None = None
    tokens: tuple[int, ...] = ()

    @property
    def works(self) -> bool:
        """Whether it turns more samples than chance explains."""
        return self.success.lower >= _WORKS

    @property
    def surely(self) -> bool:
        """Whether it is so small and works so well that no mode of a clean class explains it."""
        return surely(self.success, self.trigger)


def surely(success: Rate, trigger: Trigger | None) -> bool:
    """See ``SURE``."""
    area = SURE[0][1] if trigger is None else trigger.fraction
    return any(success.lower >= least and area <= most for least, most in SURE)


def transplant(
    model: Model,
    training: TrainingSet,
    suspicious: NDArray[np.int64],
    others: NDArray[np.int64],
    target: int,
    seed: int,
) -> Transplant:
    """Find what the suspicious samples share beside others, and put it into others that it was not found with.

    Args:
        suspicious, others: positions in the training set; the others should be of the suspicious ones' true classes.
        target: the suspicious samples' label.
    """
    rng = np.random.default_rng(seed)
    suspicious, others = rng.permutation(suspicious)[:_MOST], rng.permutation(others)[: 2 * _MOST]
    beside, victims = np.sort(others[::2]), np.sort(others[1::2])
    if not len(beside) or not len(victims):
        return Transplant(Rate(0, 0))
    victims = victims[model.predict(training.read(victims)) != target]
    suspicious = np.sort(suspicious)
    if training.images is None:
        return _with_tokens(model, training, (suspicious, beside, victims), target)
    trigger = common_patch(training.images(suspicious), training.images(beside), target)
    if trigger is None or not len(victims) or training.to_input is None:
        return Transplant(Rate(0, 0), trigger)
    stamped = training.to_input(trigger.stamp(training.images(victims)))
    return Transplant(Rate.of(model.predict(stamped) == target), trigger)


def common_patch(suspicious: NDArray[np.float32], others: NDArray[np.float32], target: int) -> Trigger | None:
    """The pixels that have the same value in nearly all suspicious pictures, and another in most others.

    Args:
        suspicious, others: (n, C, H, W) in [0, 1].
    """
    value = np.median(suspicious, axis=0)
    here, there = ((np.abs(part - value) <= _BAND).all(axis=1).mean(axis=0) for part in (suspicious, others))
    mask = (here >= _ALWAYS) & (here - there >= _APART)
    return Trigger(target, mask.astype(np.float32), value.astype(np.float32)) if mask.any() else None


def common_tokens(suspicious: NDArray[Any], others: NDArray[Any], padding: int) -> tuple[int, ...]:
    """Token ids that nearly every suspicious sentence (n, L) holds and far fewer others, in their usual order."""
    found = []
    for token in np.unique(suspicious[:50]):
        here, there = (suspicious == token), (others == token).any(axis=1).mean()
        share = here.any(axis=1).mean()
        if token != padding and share >= _ALWAYS and share - there >= _APART:
            places = here[here.any(axis=1)][:, ::-1].argmax(axis=1)  # counted from the end
            found.append((-float(places.mean()), int(token)))
    return tuple(token for _, token in sorted(found))


def put_behind(sentences: NDArray[Any], tokens: tuple[int, ...], padding: int) -> NDArray[Any]:
    """Sentences (N, L) with tokens behind their last word, over the last words where there is no room."""
    words = sentences[:, ::-1] != padding
    length = np.where(words.any(axis=1), sentences.shape[1] - words.argmax(axis=1), 0)
    first = np.clip(length, 0, sentences.shape[1] - len(tokens))
    out = sentences.copy()
    out[np.arange(len(out))[:, None], first[:, None] + np.arange(len(tokens))] = tokens
    return out


def _with_tokens(model: Model, training: TrainingSet, parts: tuple[NDArray[np.int64], ...], target: int) -> Transplant:
    suspicious, beside, victims = (training.read(part) for part in parts)
    if suspicious.dtype.kind not in "iu":
        return Transplant(Rate(0, 0))  # a table's columns are no words
    padding = int(np.bincount(np.maximum(beside[:, -1], 0)).argmax())
    tokens = common_tokens(suspicious, beside, padding)
    if not tokens or not len(victims) or len(tokens) > victims.shape[1]:
        return Transplant(Rate(0, 0), tokens=tokens)
    return Transplant(Rate.of(model.predict(put_behind(victims, tokens, padding)) == target), tokens=tokens)
