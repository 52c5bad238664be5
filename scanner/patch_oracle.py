"""Ask the original file, in onnxruntime, what patches do to pictures; nothing else of the model is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .patches import Grid, Patches

if TYPE_CHECKING:
    from ..converters import Model
    from .samples import Samples

__all__ = ["Oracle", "Spent"]

_PIXELS = 2**20  # of stamped pictures held at a time, and put to the model between looks at the clock
_LEAST = 1e-6  # for the logarithm of a probability of 0
Floats = NDArray[np.float64]


class Spent(Exception):  # noqa: N818 - not an error: the end of what a search may ask
    """No more questions: the time or their number is up."""


class Oracle:
    """A model that answers with scores only.

    Every question raises ``Spent`` once the time is up or ``limit`` is reached.

    Attributes:
        limit: most pictures to put to the model.
        images: (N, C, H, W) the pictures that patches are tried on.
        predicted: (N,) what the model says of them as they are; a picture that is of the target class anyway says
            nothing about a patch and is not counted.
        queries: how many pictures have been put to the model.
    """

    def __init__(self, model: Model, samples: Samples, grid: Grid, limit: float, late: Callable[[], bool]) -> None:
        self._model, self._domain, self._late = model, samples.domain, late
        self.grid, self.limit = grid, limit
        self.images = samples.images
        self.queries = 0
        scores = self._scores(self.images)
        self.predicted: NDArray[np.int64] = scores.argmax(1)
        ordered = np.sort(scores, axis=1)
        self._scale = max(1e-6, float(np.median(ordered[:, -1] - ordered[:, -2])))

    def on_all_classes(self, patches: Patches, index: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Loss and success (R, K) of each patch for each class, on the pictures at ``index``; see ``on_target``."""
        parts = []
        for _, scores in self._answers(patches, index):
            classes = np.arange(scores.shape[-1])
            counted = self.predicted[index][:, None] != classes  # (n, K)
            parts.append(self._means(scores - _rivals(scores), counted))
        loss, success = (np.concatenate(part) for part in zip(*parts, strict=True))
        return loss, success

    def on_target(self, patches: Patches, targets: NDArray[np.int64], index: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Loss and success (R,) of each patch for its own target, on the pictures at ``index``.

        Loss is the mean of max(0, 1 - margin), the margin of the target's score over the best other one in units of
        the model's usual margin; probabilities count by their logarithms. Success is the share of the counted pictures
        that get the target; 0 where none counts.
        """
        parts = []
        for rows, scores in self._answers(patches, index):
            wanted = targets[rows]
            own = np.take_along_axis(scores, wanted[:, None, None], axis=-1)[..., 0]
            others = scores.copy()
            np.put_along_axis(others, wanted[:, None, None], -np.inf, axis=-1)
            counted = self.predicted[index] != wanted[:, None]  # (r, n)
            parts.append(self._means(own - others.max(-1), counted))
        loss, success = (np.concatenate(part) for part in zip(*parts, strict=True))
        return loss, success

    def _means(self, margins: Floats, counted: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Mean loss and success over the pictures, axis 1, that count."""
        number = np.broadcast_to(counted, margins.shape).sum(1).clip(min=1)
        loss = np.maximum(0.0, 1 - margins / self._scale)
        return (loss * counted).sum(1) / number, ((margins > 0) & counted).sum(1) / number

    def _answers(self, patches: Patches, index: NDArray[np.intp]) -> Iterator[tuple[slice, Floats]]:
        """Scores (r, n, K) of as many stamped patches as fit into memory, with their places."""
        images = self.images[index]
        step = max(1, _PIXELS // images.size)
        for start in range(0, len(patches), step):
            if self._late() or self.queries >= self.limit:
                raise Spent
            rows = slice(start, start + step)
            on, colour = self.grid.pixels(patches.on[rows]), self.grid.pixels(patches.colour[rows])
            stamped = np.where(on[:, None, None], colour[:, None], images)
            scores = self._scores(stamped.reshape(-1, *images.shape[1:]))
            yield rows, scores.reshape(len(on), len(images), -1)

    def _scores(self, images: NDArray[np.float32]) -> Floats:
        """(N, K) logits, or the logarithms of probabilities; what is not finite counts as the lowest."""
        self.queries += len(images)
        scores = self._model.run(self._domain.to_input(images)).astype(np.float64)
        if len(scores) and scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=1e-2):
            scores = np.log(scores.clip(min=_LEAST))
        return np.nan_to_num(scores, nan=-1e9, posinf=1e9, neginf=-1e9)


def _rivals(scores: Floats) -> Floats:
    """For each score the highest of the others in its row."""
    order = np.argsort(scores, axis=-1)[..., -2:]
    second, first = np.moveaxis(np.take_along_axis(scores, order, axis=-1), -1, 0)
    is_first = np.arange(scores.shape[-1]) == order[..., -1:]
    return np.where(is_first, second[..., None], first[..., None])  # type: ignore[no-any-return]
