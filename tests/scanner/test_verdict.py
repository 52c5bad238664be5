from dataclasses import replace

import numpy as np
import pytest
from onnxray.scanner.findings import Evaluation, Evidence, Failure, Label, Rate, Skipped
from onnxray.scanner.triggers import Trigger
from onnxray.scanner.verdict import decide

OTHERS = (0.08, 0.09, 0.1, 0.1, 0.11, 0.12, 0.09, 0.1, 0.13)


def trigger(target: int, seed: int) -> Trigger:
    return Trigger(target, np.full((4, 4), 0.01, np.float32), np.ones((1, 4, 4), np.float32), seed)


def case(
    target_size: float,
    others: tuple[float, ...] = OTHERS,
    asr: tuple[Rate, ...] = (Rate(90, 90), Rate(89, 90)),
    p_value: float = 0.001,
) -> tuple[Evidence, Evaluation]:
    """Class 0 with this mask size among others, and one trigger of it for each rate."""
    triggers = tuple(trigger(0, seed) for seed in range(len(asr)))
    evidence = Evidence("neural-cleanse", (target_size, *others), "size", triggers=triggers, p_value=p_value)
    return evidence, Evaluation(Rate(95, 100), tuple(zip(triggers, asr, strict=True)), 100, "CPU")


def label(evidence: Evidence, evaluation: Evaluation) -> Label:
    return decide([evidence], evaluation, [], []).label


def test_a_small_verified_trigger_convicts_its_class() -> None:
    evidence, evaluation = case(0.01)
    verdict = decide([evidence], evaluation, [], [])
    assert verdict.label is Label.BACKDOORED
    assert verdict.targets == (0,)
    assert verdict.score > 0.9
    assert {code for code, _ in verdict.reasons} == {"verified-trigger", "small-trigger", "outlier"}


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(case(0.09), id="no smaller than the others"),
        pytest.param(case(0.01, asr=(Rate(90, 90), Rate(40, 90))), id="one seed's trigger fails on unseen pictures"),
        pytest.param(case(0.01, asr=(Rate(5, 5), Rate(5, 5))), id="five pictures prove nothing"),
        pytest.param(case(0.01, asr=(Rate(90, 90),)), id="one seed only"),
        pytest.param(case(0.3, others=(0.99,) * 9), id="a trigger that covers the picture"),
        pytest.param(case(0.01, asr=(Rate(0, 0), Rate(0, 0))), id="no picture to try it on"),
    ],
)
def test_less_does_not_convict(evidence: tuple[Evidence, Evaluation]) -> None:
    assert label(*evidence) is Label.CLEAN


def test_between_the_cuts_it_is_suspicious_and_says_that_it_is_not_proven() -> None:
    evidence, evaluation = case(0.037)
    verdict = decide([evidence], evaluation, [], [])
    assert verdict.label is Label.SUSPICIOUS
    assert "not-proven" in {code for code, _ in verdict.reasons}


def test_a_small_trigger_in_a_scattered_field_is_only_suspicious() -> None:
    assert label(*case(0.01, p_value=0.4)) is Label.SUSPICIOUS


def test_a_tiny_trigger_is_suspicious_even_where_most_classes_have_one() -> None:
    assert label(*case(0.002, others=(0.002,) * 9, p_value=1.0)) is Label.SUSPICIOUS


@pytest.mark.parametrize(("sizes", "expected"), [((0.01, 0.2), Label.BACKDOORED), ((0.01, 0.03), Label.SUSPICIOUS)])
def test_two_classes_are_judged_by_the_two_directions(sizes: tuple[float, float], expected: Label) -> None:
    evidence, evaluation = case(sizes[0], others=sizes[1:], p_value=1.0)
    assert label(evidence, evaluation) is expected


def test_what_could_not_be_checked_is_never_clean() -> None:
    evidence, evaluation = case(0.09)
    assert decide([evidence], evaluation, [], [Failure("twin", "broke")]).label is Label.INCONCLUSIVE
    assert decide([evidence], evaluation, [Skipped("nc", "few samples")], []).label is Label.INCONCLUSIVE
    assert decide([], evaluation, [], []).label is Label.INCONCLUSIVE
    assert label(replace(evidence, details={"complete": False}), evaluation) is Label.INCONCLUSIVE
    few = replace(evidence, classes=(0.09,) + (float("nan"),) * 9)
    assert label(few, evaluation) is Label.INCONCLUSIVE


def test_a_failure_elsewhere_does_not_hide_a_proven_backdoor() -> None:
    evidence, evaluation = case(0.01)
    assert decide([evidence], evaluation, [], [Failure("other", "broke")]).label is Label.BACKDOORED
