"""What poisoned samples do to a verdict: what convicts, what only worries, and what clean sets look like."""

from dataclasses import replace

import numpy as np
import pytest
from onnxray.scanner.clusters import Reclassified
from onnxray.scanner.findings import Evidence, Label, Rate, Verdict
from onnxray.scanner.poisoned import PoisonedSamples
from onnxray.scanner.poisoning import with_poisoned

CLEAN = Verdict(Label.CLEAN, 0.1, (), (("no-outlier", "None."),))


def suspects(size: int = 100, own: int = 3, hits: int = 95, trials: int = 100, followed: int = 98) -> PoisonedSamples:
    return PoisonedSamples(
        target=2, positions=np.arange(size), scores=np.full(size, 0.9), labelled=10 * size,
        reclassified=Reclassified(own, 90, 1), silhouette=0.2, followed=Rate(followed, 100), clean=Rate(0, 0),
        transplant=Rate(hits, trials), points=np.zeros((4, 2), np.float32), inside=np.zeros(4, bool),
    )  # fmt: skip


def told(p: PoisonedSamples, verdict: Verdict = CLEAN, others: int = 0) -> Verdict:
    more = tuple(replace(suspects(hits=0), target=3 + i) for i in range(others))
    return with_poisoned(verdict, [Evidence("ac", (0.0,) * 10, "moved", (2,), poisoned=(p, *more))])


def test_poison_whose_common_part_works_as_a_trigger_convicts() -> None:
    verdict = told(suspects())
    assert verdict.label is Label.BACKDOORED
    assert verdict.targets == (2,)
    assert verdict.score > 0.9
    assert [code for code, _ in verdict.reasons] == ["poisoned-samples", "shared-trigger"]


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        pytest.param(suspects(own=95, hits=80), Label.SUSPICIOUS, id="many keep their class"),
        pytest.param(suspects(followed=60), Label.SUSPICIOUS, id="the model does not follow the label"),
        pytest.param(suspects(hits=35), Label.SUSPICIOUS, id="what they share works at times"),
        pytest.param(suspects(hits=3, trials=3), Label.SUSPICIOUS, id="three samples are no proof"),
        pytest.param(suspects(hits=0), Label.SUSPICIOUS, id="nothing that they share works, but they stand alone"),
        pytest.param(suspects(hits=0, size=20), Label.INCONCLUSIVE, id="a handful of samples"),
        pytest.param(suspects(hits=0, own=40), Label.INCONCLUSIVE, id="a mode of a class"),
    ],
)
def test_less_does_not_convict(p: PoisonedSamples, expected: Label) -> None:
    assert told(p).label is expected


def test_clusters_that_many_classes_have_are_no_suspicion() -> None:
    verdict = told(suspects(hits=0), others=4)
    assert verdict.label is Label.INCONCLUSIVE
    assert verdict.reasons[-1][0] == "clusters-unexplained"


def test_a_verdict_is_never_lowered_and_keeps_its_reasons() -> None:
    before = Verdict(Label.BACKDOORED, 0.99, (7,), (("verified-trigger", "A trigger."),))
    after = told(suspects(), before)
    assert after.label is Label.BACKDOORED
    assert after.score == 0.99
    assert set(after.targets) == {2, 7}
    assert "verified-trigger" in {code for code, _ in after.reasons}
    assert told(suspects(hits=0), before).label is Label.BACKDOORED


def test_without_training_data_nothing_changes() -> None:
    assert with_poisoned(CLEAN, [Evidence("nc", (0.1,), "size")]) is CLEAN


def test_a_class_with_too_few_samples_forbids_clean() -> None:
    evidence = Evidence("ac", (0.0,) * 10, "moved", details={"too_few_samples": {4: 3}})
    verdict = with_poisoned(CLEAN, [evidence])
    assert verdict.label is Label.INCONCLUSIVE
    assert verdict.reasons[-1] == ("too-few-samples", "ac cannot judge classes with so few training samples: 4 (3).")
