"""Find the input domain: the convention under which the untouched model is most often right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..converters.messages import one_line
from .domain import DomainChoice
from .domain_candidates import Candidate, candidates, cropped
from .domain_overrides import DomainOverrides
from .domain_trials import Probe, Trial, best, clearly_better, run_trials
from .errors import UnfitSamplesError
from .findings import Rate
from .images import ImageSet
from .samples import Samples, stratified
from .stored_preprocessing import Stored, stored_names, stored_preprocessing

if TYPE_CHECKING:
    from ..converters import Model

__all__ = ["DomainOverrides", "find_domain", "named"]

_TESTED = 200
_LEADERS = 3
_CHANCE = 1e-3
_FEW = 3  # class names in a message


def find_domain(
    model: Model, images: ImageSet, overrides: DomainOverrides | None = None, seed: int = 0
) -> tuple[DomainChoice, Samples]:
    """Try every plausible convention on up to 200 pictures and keep the one with the highest clean accuracy.

    Accuracies are of onnxruntime on the original file. Those about equal (within 2 % of the samples) are told apart by
    the cross-entropy of the true class where it differs clearly, then by how common the convention is. A convention
    that is stored beside the model gives way only to one that is clearly better (paired sign test, p < 0.01).

    Returns:
        The choice, and all the pictures fitted to the model under it.

    Raises:
        SamplesError: labels that the model has not, an input that holds no pictures, a damaged file beside the model.
        OptionError: overrides that contradict the model.
        ModelError: the model runs under no convention.
    """
    overrides = overrides or DomainOverrides()
    images = named(images, model)
    stored = stored_preprocessing(model.path)
    chosen = stratified(images.labels, _TESTED, seed)
    probe = Probe(model, images.images, images.labels).take(chosen)
    full, dropped = run_trials(probe, candidates(model.facts, images.images, overrides, stored), seed)
    full += probe.run(cropped([t.candidate for t in _leaders(full)], probe.images))
    winner = _winner(full)
    how = "given" if overrides.fixed else _how(winner, full + dropped, stored)
    choice = replace(_choice(winner, full + dropped, probe.labels, how), numbering=_numbering(images))
    return choice, _samples(winner.candidate, images)


def named(images: ImageSet, model: Model) -> ImageSet:
    """The pictures, named by the model's own class names where the data has none; labels checked against the model.

    Raises:
        UnfitSamplesError: labels that the model has not.
    """
    if images.labels.max() >= model.classes:
        from_one = images.labels.max() == model.classes and images.labels.min() == 1
        raise UnfitSamplesError(
            f"{images.source}: label {images.labels.max()} but {model.path} has {model.classes} classes; "
            "give samples of this model's classes, numbered from 0"
            + (" (these seem to be numbered from 1: subtract 1 from each)" if from_one else "")
        )
    names = stored_names(model.path, model.classes)
    return _renumbered(images, names) if images.class_names else replace(images, class_names=names)


def _renumbered(images: ImageSet, names: tuple[str, ...]) -> ImageSet:
    """The pictures with the model's class numbers, where its own names include every name of the data.

    Names in a folder or table are numbered in sorted order, which need not be the model's.
    """
    index = {name.casefold(): i for i, name in enumerate(names)}
    places = [index.get(name.casefold(), -1) for name in images.class_names]
    if len(index) < len(names) or -1 in places or images.labels.max() >= len(places):
        return images
    labels = np.array(places, dtype=np.int64)[images.labels]
    return replace(images, labels=labels, class_names=names, by_name=False)


def _numbering(images: ImageSet) -> str:
    """In words, where the numbers of the classes are only the places of their names."""
    if not images.by_name:
        return ""
    shown = [f"{i} {one_line(name, 20)}" for i, name in enumerate(images.class_names)]
    shown = shown if len(shown) <= _FEW else [*shown[:_FEW], f"... {shown[-1]}"]
    return f"in the sorted order of their names: {', '.join(shown)}"


def _leaders(full: Sequence[Trial]) -> list[Trial]:
    """The few best, in their order; only these are tried again with a crop, which changes less than the convention."""
    top = sorted(full, key=lambda t: -t.accuracy.hits)[:_LEADERS]
    return [t for t in full if t in top]


def _winner(full: Sequence[Trial]) -> Trial:
    """The best trial, unless the stored convention is about as good."""
    found = best(full)
    said = [t for t in full if t.candidate.stored]  # one for each layout that the input's shape allows
    return found if not said or clearly_better(found, best(said)) else best(said)


def _how(winner: Trial, trials: Sequence[Trial], stored: Stored | None) -> str:
    said = next((t for t in trials if t.candidate.stored), None)
    if said is None or stored is None:
        return "found"
    if winner.candidate.stored:
        return stored.file
    return f"found, against {stored.file} (accuracy {said.accuracy.value:.1%} under {said.candidate.name})"


def _choice(winner: Trial, trials: Sequence[Trial], labels: NDArray[np.int64], how: str) -> DomainChoice:
    chance = float(np.bincount(labels).max() / len(labels))
    ranked = sorted(trials, key=lambda t: (t is not winner, -t.accuracy.value))
    return DomainChoice(
        domain=replace(winner.candidate.domain, name=winner.candidate.name),
        accuracy=winner.accuracy,
        chance=chance,
        beats_chance=_beats_chance(winner.accuracy, chance, len(trials)),
        tried=tuple((t.candidate.name, t.accuracy.value) for t in ranked),
        how=how,
        fit=winner.candidate.fit,
    )


def _beats_chance(accuracy: Rate, chance: float, tried: int) -> bool:
    """Whether the best of so many tries is above chance: significantly, and by half of it (or half of what is left)."""
    from scipy.stats import binomtest

    p_value = binomtest(accuracy.hits, accuracy.trials, chance, alternative="greater").pvalue * tried
    return bool(p_value < _CHANCE and accuracy.value >= min(1.5 * chance, (1 + chance) / 2))


def _samples(candidate: Candidate, images: ImageSet) -> Samples:
    domain = replace(candidate.domain, name=candidate.name)
    pictures = candidate.fit.apply(images.images, domain.channels, domain.height, domain.width)
    return Samples(pictures, images.labels, domain, images.class_names, images.source)
