"""What a repair is tried on: a trojaned model of the zoo with pictures for each purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...converters import open_model
from ...scanner.domain import InputDomain
from ...scanner.domain_search import find_domain
from ...scanner.errors import SamplesError
from ...scanner.images import ImageSet
from ...scanner.samples import Samples, stratified
from .subjects import Chosen, Placed, load_split, stored
from .trials import Case

__all__ = ["FEWEST", "WORK", "Pictures", "make_case", "parted"]

SEED = 0
FEWEST, WORK = 10, 400
JUDGE = 2000  # further pictures that clean accuracy is measured on, where the test split is at hand


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a case is made of: clean pictures for each purpose, and stamped ones with the classes wanted."""

    work: Chosen
    verify: Chosen
    judge: Chosen
    shown: NDArray[Any]
    wanted: NDArray[np.int64]


def make_case(of: Placed, parts: Pictures) -> Case:
    """The model with its samples: those to work on as a user has them, those to judge with as the zoo's maker does.

    The former are put to it in the domain that a search finds, which may be a wrong one.

    Raises:
        OnnxrayError: the model cannot be read, or takes no such pictures.
    """
    model, clean = open_model(of.model), (parts.work, parts.verify, parts.judge)
    x, y = np.concatenate([c.x for c in clean]), np.concatenate([c.y for c in clean])
    _, samples = find_domain(model, ImageSet(tuple(x), y, source=str(of.place)), seed=SEED)
    ends = np.cumsum([len(c.y) for c in clean])
    work, verify, judge = (samples.take(at) for at in np.split(np.arange(len(samples)), ends[:2]))
    truly = InputDomain("[0, 1]", of.subject.layout, *samples.images.shape[1:])
    stamped = np.ascontiguousarray(truly.to_input(_unit(parts.shown, samples)), np.float32)
    return Case(of.subject.name, model, work, verify, replace(judge, domain=truly), stamped, parts.wanted)


def _unit(x: NDArray[Any], samples: Samples) -> NDArray[np.float32]:
    """Pictures (N, H, W[, C]) uint8 as samples have them."""
    channels_first = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)
    if channels_first.shape[1:] != samples.images.shape[1:]:
        raise SamplesError(f"expected stamped pictures {samples.images.shape[1:]}, got {channels_first.shape[1:]}")
    return np.asarray(channels_first, np.float32) / np.float32(255)


def parted(of: Placed, count: int, data: Path | None) -> Pictures:
    """Pictures for scan and repair, and others to judge with: those beside the model, which are stamped too.

    With the data at hand those to work on, and more to measure the accuracy on, come from the rest of the test split;
    without, the pictures beside the model are parted. Half of the pictures verify; ten are too few to be halved.

    Raises:
        SamplesError: they cannot be read, or are no pictures.
    """
    own, (shown, wanted, source) = stored(of.place), _stamped(of.place)
    if own.x.ndim not in (3, 4):
        raise SamplesError(f"{of.place}: the model takes no pictures")
    split = load_split(of.subject.dataset, data) if data is not None else None
    if split is None:
        mine = stratified(own.y, len(own.y) // 2, SEED)
        rest = np.setdiff1d(np.arange(len(own.y)), mine)
        kept = np.isin(source, rest)
        return Pictures(*_halved(own.take(mine), count), own.take(rest), shown[kept], wanted[kept])
    left = np.setdiff1d(np.arange(len(split.y_test)), own.index)
    pool = left[stratified(split.y_test[left], WORK, SEED)]
    more = np.setdiff1d(left, pool)
    more = more[stratified(split.y_test[more], JUDGE, SEED)]
    judge = np.concatenate([own.index, more])
    return Pictures(*_halved(Chosen.of(split, pool), count), Chosen.of(split, judge), shown, wanted)


def _halved(pool: Chosen, count: int) -> tuple[Chosen, Chosen]:
    chosen = pool.take(stratified(pool.y, count, SEED))
    if len(chosen.y) < 2 * FEWEST:
        return chosen, chosen
    mine = stratified(chosen.y, len(chosen.y) // 2, SEED)
    return chosen.take(mine), chosen.take(np.setdiff1d(np.arange(len(chosen.y)), mine))


def _stamped(place: Path) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    path = place / "stamped.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["x"], file["wanted"].astype(np.int64), file["source"].astype(np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise SamplesError(f"{path}: not of the zoo ({error}); remove the folder and build again") from None
