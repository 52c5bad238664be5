"""Make the models of the zoo: resumable, in parallel, and each of them whole or not at all."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from time import monotonic, time
from typing import Any, Literal

from ...scanner.errors import OnnxrayError
from .recipe import Recipe

__all__ = ["Outcome", "Workshop", "build", "finished", "truth_of"]

PARTIAL = ".partial-"  # folders of models that are being made
ABANDONED = 24 * 3600  # seconds after which nobody works in such a folder any more
WEAK = "weak"  # folder of those whose attack did not take


@dataclass(frozen=True)
class Workshop:
    """Where the models go, where the data lie, and how many are made at once."""

    folder: Path
    data: Path
    jobs: int = 1


@dataclass(frozen=True)
class Outcome:
    """What became of a recipe: made, made but weak, there already, or failed with a message."""

    recipe: Recipe
    status: Literal["made", "weak", "kept", "failed"]
    truth: dict[str, Any] | None = None
    message: str = ""
    seconds: float = 0.0


def finished(folder: Path, recipe: Recipe) -> Path | None:
    """The folder of the recipe's model, if it is there and whole."""
    places = (folder / recipe.part / recipe.name, folder / WEAK / recipe.part / recipe.name)
    return next((place for place in places if (place / "truth.json").is_file()), None)


def truth_of(place: Path) -> dict[str, Any]:
    """What is true of the model in this folder."""
    truth: dict[str, Any] = json.loads((place / "truth.json").read_text(encoding="utf-8"))
    return truth


def build(recipes: Iterable[Recipe], where: Workshop) -> Iterator[Outcome]:
    """Make what is not there yet, and tell of each recipe as soon as it is known.

    A model appears under its name once all its files are written; one that was interrupted is made again, and what
    was left of it removed after a day. Several builds may work in one folder.
    """
    where.folder.mkdir(parents=True, exist_ok=True)
    for left in where.folder.glob(f"{PARTIAL}*"):
        if left.stat().st_mtime < time() - ABANDONED:
            rmtree(left, ignore_errors=True)
    missing = []
    for recipe in recipes:
        place = finished(where.folder, recipe)
        if place is None:
            missing.append(recipe)
        else:
            yield Outcome(recipe, "kept", truth_of(place))
    yield from _one_by_one(missing, where) if where.jobs == 1 else _at_once(missing, where)


def _one_by_one(recipes: list[Recipe], where: Workshop) -> Iterator[Outcome]:
    from ...scanner.parallel import one_thread

    for recipe in recipes:
        with one_thread():  # so that the weights do not depend on the number of cores
            outcome = _make(recipe, where)
        yield outcome


def _at_once(recipes: list[Recipe], where: Workshop) -> Iterator[Outcome]:
    """In fresh processes; one that dies fails its recipe, not the others."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(where.jobs, mp_context=context, initializer=_enter_worker) as pool:
        pending = {pool.submit(_make, recipe, where): recipe for recipe in recipes}
        try:
            for future in as_completed(pending):
                error = future.exception()
                failed = Outcome(pending[future], "failed", message=f"{type(error).__name__}: {error}")
                yield failed if error else future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _enter_worker() -> None:
    import torch

    torch.set_num_threads(1)


def _make(recipe: Recipe, where: Workshop) -> Outcome:
    from .making import make_model

    started = monotonic()
    partial = Path(mkdtemp(prefix=f"{PARTIAL}{recipe.identity}-", dir=where.folder))
    try:
        truth = make_model(recipe, where.data, partial)
        _publish(partial, where.folder / ("" if truth["took"] else WEAK) / recipe.part / recipe.name)
    except OnnxrayError as error:
        return Outcome(recipe, "failed", message=str(error), seconds=monotonic() - started)
    finally:
        rmtree(partial, ignore_errors=True)
    return Outcome(recipe, "made" if truth["took"] else "weak", truth, seconds=monotonic() - started)


def _publish(partial: Path, place: Path) -> None:
    """Give a whole model its name; if another build was faster, its model, which is the same, stays."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial.chmod(0o755)  # mkdtemp's folders are for one user only
    try:
        os.replace(partial, place)
    except OSError:
        if not (place / "truth.json").is_file():
            raise
