"""``onnxray evaluate``: how right a model is, class by class, and how well triggers work on it, in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .domain_search import DomainOverrides, find_domain
from .evaluate import attack_success
from .findings import Rate
from .images import load_images
from .opening import open_running
from .trigger_files import load_triggers, require_fitting
from .triggers import Trigger

__all__ = ["Measurement", "measure"]


@dataclass(frozen=True)
class Measurement:
    """What onnxruntime makes of a model on all samples.

    Attributes:
        path, sha256: of the model.
        clean_accuracy: on all samples.
        classes: accuracy of each class; 0 of 0 where it has no samples.
        class_names: empty if unknown.
        attacks: each trigger's name, the trigger, and the rate at which it turns pictures of other classes, which the
            model does not give the target anyway, into its target.
        domain: the input convention, in words.
        samples: how many.
        provider: onnxruntime's execution provider.
    """

    path: str
    sha256: str
    clean_accuracy: Rate
    classes: tuple[Rate, ...]
    class_names: tuple[str, ...]
    attacks: tuple[tuple[str, Trigger, Rate], ...]
    domain: str
    samples: int
    provider: str

    @property
    def attack_success(self) -> Mapping[int, Rate]:
        """Of each target, the success of its most successful trigger; those that move every class have none."""
        best: dict[int, Rate] = {}
        for _, trigger, rate in self.attacks:
            if trigger.mapping is None and (trigger.target not in best or rate.value > best[trigger.target].value):
                best[trigger.target] = rate
        return dict(sorted(best.items()))


def measure(
    path: Path,
    data: Path,
    trigger_paths: Sequence[Path] = (),
    samples: int | None = None,
    overrides: DomainOverrides | None = None,
    scores: str | None = None,
    seed: int = 0,
) -> Measurement:
    """Evaluate a model on clean labelled pictures, and on the same with each trigger stamped on them.

    Args:
        path: the model.
        data: in any form that ``images.load_images`` reads.
        trigger_paths: as ``trigger_files.load_triggers`` takes them.
        samples: most pictures used; all if None.
        overrides: what the user knows about the model's input.
        scores: the output that holds the scores, where the file has several.

    Raises:
        OnnxrayError: the model, the data or a trigger is wrong, or do not fit each other.
    """
    named = [(str(file), trigger) for file in trigger_paths for trigger in load_triggers(file)]
    model = open_running(path, scores)
    choice, pictures = find_domain(model, load_images(data, limit=samples, seed=seed), overrides, seed)
    for file, trigger in named:
        require_fitting(trigger, pictures, model.classes, file)
    predicted = model.predict(pictures.inputs())
    right = predicted == pictures.labels
    return Measurement(
        path=str(path),
        sha256=model.facts.sha256,
        clean_accuracy=Rate.of(right),
        classes=tuple(Rate.of(right[pictures.labels == c]) for c in range(model.classes)),
        class_names=pictures.class_names,
        attacks=tuple((f, t, attack_success(model, pictures, t, predicted)) for f, t in named),
        domain=choice.domain.name,
        samples=len(pictures),
        provider=model.provider,
    )
