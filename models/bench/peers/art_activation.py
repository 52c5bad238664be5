"""Activation Clustering as the Adversarial Robustness Toolbox has it, which is called as a library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ....scanner.errors import OptionError, SamplesError
from . import DataFilter, TrainingSet

if TYPE_CHECKING:
    from ....converters import Model

_COMPONENTS = 10


@dataclass(frozen=True, kw_only=True)
class ArtActivation(DataFilter):
    """ART's ``ActivationDefence``: two clusters of each class's last hidden activations, one of them the poisoned.

    Everything is ART's default: ten principal components, k-means with two clusters, and as poisoned the smaller
    cluster of every class. By that it never calls a training set clean; "distance" (a cluster nearer to another
    class) can. Its two other rules are not offered: in version 1.20.1, "relative-size" breaks on a class without a
    small cluster, and "silhouette-scores" leaves part of its answer unset. ART only gets the activations, as the
    model's file computes them in onnxruntime, and the labels that the model was trained with; it cannot take a class
    of few examples, so that is refused.

    Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", SafeAI 2019. They take
    independent components, and retrain the model without a cluster to judge it.
    """

    id: ClassVar[str] = "art-activation-defence"

    analysis: Literal["smaller", "distance"] = "smaller"
    reduce: Literal["PCA", "FastICA"] = "PCA"

    def missing(self) -> str:
        """See `DataFilter`."""
        try:
            _defence()
        except OptionError as error:
            return str(error)
        return ""

    def find(self, model: Model, training: TrainingSet, seed: int) -> NDArray[np.bool_]:
        """See `DataFilter`."""
        defence = _defence()
        counts = np.bincount(training.labels, minlength=training.classes)
        if (least := int(counts.min())) < _COMPONENTS:
            which = f"{least} of class {int(counts.argmin())}"
            raise SamplesError(f"expected {_COMPONENTS} training examples of each class or more, got {which}; add some")
        stand_in = _Activations(_last_hidden(model, training.inputs), training.classes)
        with _numpy_seeded(seed):  # ART passes no seed on to scikit-learn
            _, clean = defence(stand_in, training.inputs, training.labels).detect_poison(
                nb_clusters=2, nb_dims=_COMPONENTS, reduce=self.reduce, cluster_analysis=self.analysis
            )
        found: NDArray[np.bool_] = np.asarray(clean) == 0
        return found


@dataclass(frozen=True, eq=False)
class _Activations:
    """All that ART asks a classifier for, given beforehand: the activations (N, F) of its training examples."""

    values: NDArray[np.float32]
    nb_classes: int
    layer_names: tuple[str, ...] = ("last hidden",)

    def get_activations(self, x: NDArray[Any], layer: int, batch_size: int) -> NDArray[np.float32]:
        """What is known already, whatever is asked."""
        return self.values


def _defence() -> Any:
    try:
        from art.defences.detector.poison import ActivationDefence
    except ImportError as error:
        raise OptionError(f"art-activation-defence needs ART ({error}); pip install 'onnxray[art]'") from None
    return ActivationDefence


def _last_hidden(model: Model, inputs: NDArray[Any]) -> NDArray[np.float32]:
    from ....converters.last_hidden import find_last_hidden, hidden_session

    hidden = find_last_hidden(model.graph, model.facts.output.name, model.path)
    return hidden_session(model, hidden).run(inputs)


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
