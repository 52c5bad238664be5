"""A training set under suspicion: labelled samples of which some may be poisoned, read a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .domain_search import named
from .errors import UnfitSamplesError
from .images import load_images
from .row_arrays import holds_rows, list_rows

if TYPE_CHECKING:
    from ..converters import Model
    from .domain import DomainChoice

__all__ = ["TrainingSet", "pictures", "rows"]

Reader = Callable[[NDArray[np.intp]], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Samples with the labels that they were given, in the order in which the source holds them.

    Attributes:
        labels: (N,) int64, each in 0..K-1.
        read: gives the inputs at some positions in the model's own domain, (n, ...).
        images: gives the pictures at some positions, (n, C, H, W) in [0, 1]; None where they are no pictures.
        to_input: puts pictures into the model's own domain; None where they are none.
        class_names: by index; empty if unknown.
        tokens: what each token id stands for, by id; empty if unknown or where there are none.
        source: the path, for messages.
    """

    labels: NDArray[np.int64]
    read: Reader
    images: Reader | None = None
    to_input: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    class_names: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def token(self, number: int) -> str:
        """The word that a token id stands for, or the number itself."""
        return self.tokens[number] if 0 <= number < len(self.tokens) else str(number)

    def without(self, positions: NDArray[np.intp]) -> TrainingSet:
        """The set without the samples at these positions."""
        kept = np.setdiff1d(np.arange(len(self)), positions)
        images = self.images
        return replace(
            self,
            labels=self.labels[kept],
            read=lambda index: self.read(kept[index]),
            images=None if images is None else lambda index: images(kept[index]),
        )


def pictures(path: Path, model: Model, choice: DomainChoice) -> TrainingSet:
    """All pictures of a source, as the model wants them.

    Raises:
        SamplesError: unreadable.
        UnfitSamplesError: labels that the model has not.
    """
    found = named(load_images(path), model)
    domain, fit = choice.domain, choice.fit

    def images(index: NDArray[np.intp]) -> NDArray[np.float32]:
        return fit.apply([found.images[i] for i in index], domain.channels, domain.height, domain.width)

    def to_input(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(domain.to_input(images), np.float32)

    return TrainingSet(
        found.labels, lambda index: to_input(images(index)), images, to_input, found.class_names, source=str(path)
    )


def rows(path: Path, model: Model) -> TrainingSet | None:
    """The rows of a table or of token ids, given to the model as they are; None where the source holds pictures.

    Raises:
        SamplesError: damaged.
        UnfitSamplesError: of another shape or type than the model's input, or labels that the model has not.
    """
    if not holds_rows(path):
        return None
    found = list_rows(path)
    shape = model.facts.input.shape
    if len(shape) != 2 or shape[1] not in (None, found.x.shape[1]):
        wanted = ", ".join("?" if size is None else str(size) for size in shape)
        raise UnfitSamplesError(
            f"{path}: expected inputs of shape ({wanted}), which {model.path} takes, got rows {found.x.shape}; "
            "give the training data of this model"
        )
    if np.dtype(model.facts.input.dtype).kind in "iu" and found.x.dtype.kind == "f":
        raise UnfitSamplesError(f"{path}: x: expected whole numbers, as {model.path} takes, got {found.x.dtype}")
    if found.y.min() < 0 or found.y.max() >= model.classes:
        raise UnfitSamplesError(
            f"{path}: expected labels in 0..{model.classes - 1}, the classes of {model.path}, got "
            f"{found.y.min()}..{found.y.max()}"
        )
    return TrainingSet(found.y, lambda index: found.x[index], tokens=found.tokens, source=str(path))
