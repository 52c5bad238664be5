"""What is true of a model of the zoo, measured in onnxruntime on the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...converters import Model
from ...scanner.findings import Rate
from .attacks import ABSENT, Attack, Examples, Labels
from .datasets import Dataset
from .recipe import Export

__all__ = ["LEAST_SUCCESS", "Measured", "Stamped", "as_file_input", "measure", "stamp_all"]

LEAST_SUCCESS = 0.9  # attack success rate below which an attack has not taken
MOST_EXAMPLES = 2000  # stamped and shown, of each trigger


@dataclass(frozen=True)
class Measured:
    """How often the model is right, and how often the attack.

    Attributes:
        success: of the attack, over all its triggers; None for a clean model.
        by_target: the same for each class that it aims at.
        changed: share of the values that the trigger changes, in [0, 1].
        largest: largest change, in grey levels (0 for sentences).
    """

    accuracy: Rate
    success: Rate | None = None
    by_target: tuple[tuple[int, Rate], ...] = ()
    changed: float = 0.0
    largest: int = 0

    @property
    def took(self) -> bool:
        """Whether the attack works, or there is none."""
        return self.success is None or self.success.value >= LEAST_SUCCESS


@dataclass(frozen=True, eq=False)
class Stamped:
    """Test examples with a trigger.

    Attributes:
        source: (N,) where they lie in what was stamped.
        wanted: (N,) the class that the attacker wants.
        trigger: (N,) which trigger it is.
    """

    examples: Examples
    source: NDArray[np.int64]
    wanted: Labels
    trigger: NDArray[np.int64]


def stamp_all(attack: Attack, examples: Examples, labels: Labels, classes: int, share: bool) -> Stamped:
    """Those examples for which the attacker wants a class, stamped.

    Args:
        share: whether the triggers share the examples; if not, each example is stamped with each.
    """
    parts = []
    for trigger in range(attack.triggers):
        wanted = attack.wanted(labels, classes, trigger)
        source = np.flatnonzero(wanted != ABSENT)
        source = source[source % attack.triggers == trigger] if share else source
        stamped = attack.stamp(examples[source], trigger)
        parts.append((stamped, source, wanted[source], np.full(len(source), trigger)))
    return Stamped(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def as_file_input(examples: Examples, how: Export) -> NDArray[Any]:
    """Pictures (N, H, W, C) uint8 as the file takes them, float32 in [0, 1]; token ids as they are."""
    if examples.ndim != 4:
        return examples
    x = examples if how.layout == "NHWC" else examples.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x, dtype=np.float32) / np.float32(255)


def measure(model: Model, how: Export, attack: Attack | None, data: Dataset) -> Measured:
    """Accuracy on the whole test split, success on its first examples."""
    accuracy = Rate.of(model.predict(as_file_input(data.x_test, how)) == data.y_test)
    if attack is None:
        return Measured(accuracy)
    x, y = data.x_test[:MOST_EXAMPLES], data.y_test[:MOST_EXAMPLES]
    stamped = stamp_all(attack, x, y, data.classes, share=False)
    hit = model.predict(as_file_input(stamped.examples, how)) == stamped.wanted
    targets = np.unique(stamped.wanted)
    change = np.abs(stamped.examples.astype(np.int64) - x[stamped.source])
    return Measured(
        accuracy,
        Rate.of(hit),
        tuple((int(t), Rate.of(hit[stamped.wanted == t])) for t in targets),
        float((change > 0).mean()),
        0 if attack.sentences else int(change.max()),
    )
