"""The training set of a model of the zoo, made again from its recipe, with what is true of each example."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ....scanner.errors import SamplesError
from ...zoo.attacks import Poisoned, Scene
from ...zoo.datasets import load
from ...zoo.recipe import Recipe
from ...zoo.truth import as_file_input
from . import TrainingSet

if TYPE_CHECKING:
    from ...zoo.attacks import Attack
    from ...zoo.datasets import Dataset

__all__ = ["training_set"]


def training_set(truth: dict[str, Any], data_folder: Path) -> TrainingSet:
    """What the model was trained on: the same examples, poisoned in the same way.

    The shifts by up to a pixel that some recipes make anew in every epoch are left out. Of an attack that learns its
    trigger with a network, that is trained again; on another device than the model's it may come out a little
    different.

    Args:
        truth: the model's ``truth.json``.
        data_folder: where the zoo's data sets lie.

    Raises:
        SamplesError: the recipe is one of another version, or the data are not there.
    """
    recipe = _recipe(truth)
    data = load(recipe.dataset, data_folder).subset(recipe.examples, recipe.data_seed)
    made = _poisoned(recipe, data, recipe.make_attack())
    return TrainingSet(as_file_input(made.examples, recipe.export), made.labels, made.chosen, data.classes)


def _recipe(truth: dict[str, Any]) -> Recipe:
    try:
        recipe = msgspec.convert(truth["recipe"], Recipe)
        if recipe.identity == truth["identity"]:
            return recipe
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise SamplesError(f"truth.json: holds no recipe of the zoo ({error}); build the zoo again") from None
    raise SamplesError(f"truth.json of {truth['name']}: its recipe now makes another model; build the zoo again")


def _poisoned(recipe: Recipe, data: Dataset, attack: Attack | None) -> Poisoned:
    clean = Poisoned(data.x_train, data.y_train, np.zeros(len(data.y_train), dtype=bool))
    if attack is None or not attack.poisons:
        return clean
    attack = attack.learn(Scene(data.x_train, data.y_train, data.classes, recipe.seed))
    return attack.poison(data.x_train, data.y_train, data.classes, recipe.rate, recipe.seed)
