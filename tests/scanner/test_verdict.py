from dataclasses import replace

import numpy as np
import pytest
from onnxray.scanner.accusations import Policy, accusations
from onnxray.scanner.calibration import Calibration, Level
from onnxray.scanner.clusters import Reclassified
from onnxray.scanner.documents._reasons import meaning_of
from onnxray.scanner.findings import Evaluation, Evidence, Failure, Label, Rate, Skipped, Verdict
from onnxray.scanner.poisoned import PoisonedSamples
from onnxray.scanner.triggers import Trigger
from onnxray.scanner.verdict import decide

LEVEL = Level(slope=1.0, intercept=0.0, suspicious=0.6, convicting=0.999, clean=9, trojaned=9)
CALIBRATION = Calibration(
    offset=-2.0, weights={"neural-cleanse.far": 1.0, "max-margin.rare": 1.0},
    centres={"neural-cleanse.far": 0.0, "max-margin.rare": 0.0}, levels={"searched": LEVEL, "nominated": LEVEL},
    searches=("neural-cleanse",), false_alarms=0.02, made={},
)  # fmt: skip
SURE = replace(CALIBRATION, offset=0.0)
OTHERS = (0.08, 0.09, 0.1, 0.1, 0.11, 0.12, 0.09, 0.1, 0.13)
SCATTERED = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.03, 0.6)


def trigger(target: int, seed: int, share: float) -> Trigger:
    return Trigger(target, np.full((4, 4), share, np.float32), np.ones((1, 4, 4), np.float32), seed)


def case(
    target_size: float,
    others: tuple[float, ...] = OTHERS,
    asr: tuple[Rate, ...] = (Rate(90, 90), Rate(89, 90)),
    details: dict[str, object] | None = None,
) -> tuple[Evidence, Evaluation]:
    """Class 0 with this mask size among others, and one trigger of it for each rate."""
    triggers = tuple(trigger(0, seed, target_size) for seed in range(len(asr)))
    evidence = Evidence("nc", (target_size, *others), "size", triggers=triggers, details=details or {})
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
    ("evidence", "expected"),
    [
        pytest.param(case(0.09), Label.CLEAN, id="no smaller than the others"),
        pytest.param(case(0.01, asr=(Rate(90, 90), Rate(9, 90))), Label.CLEAN, id="small, and does not work"),
        pytest.param(case(0.01, asr=(Rate(90, 90), Rate(70, 90))), Label.SUSPICIOUS, id="works most of the time"),
        pytest.param(case(0.01, asr=(Rate(10, 10), Rate(10, 10))), Label.SUSPICIOUS, id="ten pictures are not proof"),
        pytest.param(case(0.01, asr=(Rate(3, 3), Rate(3, 3))), Label.INCONCLUSIVE, id="three pictures say nothing"),
        pytest.param(case(0.01, asr=(Rate(0, 0), Rate(0, 0))), Label.INCONCLUSIVE, id="no picture to try it on"),
        pytest.param(case(0.01, asr=(Rate(90, 90),)), Label.INCONCLUSIVE, id="one seed only"),
        pytest.param(case(0.3, others=(0.99,) * 9), Label.SUSPICIOUS, id="covers the picture"),
        pytest.param(case(0.037), Label.SUSPICIOUS, id="between the cuts"),
        pytest.param(case(0.01, others=SCATTERED), Label.SUSPICIOUS, id="in a scattered field"),
        pytest.param(case(0.002, others=(0.002,) * 9), Label.SUSPICIOUS, id="tiny as all others are"),
        pytest.param(case(0.01, others=(0.2,)), Label.BACKDOORED, id="two classes, one direction far easier"),
        pytest.param(case(0.01, others=(0.03,)), Label.SUSPICIOUS, id="two classes, one direction easier"),
        pytest.param(case(0.0), Label.BACKDOORED, id="a mask of nothing"),
    ],
)
def test_the_label_follows_the_policy(evidence: tuple[Evidence, Evaluation], expected: Label) -> None:
    assert label(*evidence) is expected


def test_short_of_a_conviction_it_says_so() -> None:
    evidence, evaluation = case(0.037)
    assert "not-proven" in {code for code, _ in decide([evidence], evaluation, [], []).reasons}


def test_a_seed_that_needs_a_large_mask_is_no_second_witness() -> None:
    triggers = (trigger(0, 0, 0.01), trigger(0, 1, 0.09))
    evidence = Evidence("nc", (0.03, *OTHERS), "size", triggers=triggers)
    evaluation = Evaluation(Rate(95, 100), tuple((t, Rate(90, 90)) for t in triggers), 100, "CPU")
    assert label(evidence, evaluation) is Label.CLEAN


def test_between_the_cuts_the_score_decides_where_it_weighs_the_method() -> None:
    evidence, evaluation = case(0.037)
    weighed = replace(evidence, detector="neural-cleanse", sizes=True)
    assert decide([weighed], evaluation, [], [], calibration=CALIBRATION).label is Label.CLEAN
    index = [5.0, *[0.0] * 9]
    agreeing = Evidence(
        "max-margin", (9.0, *[3.0] * 9), "margin", details={"anomaly_index": index}, large=True, sizes=True
    )
    both = [replace(weighed, details={"anomaly_index": index}), agreeing]
    rated = decide(both, evaluation, [], [], calibration=CALIBRATION)
    assert rated.label is Label.SUSPICIOUS
    assert "calibrated-score" in {code for code, _ in rated.reasons}
    sure = replace(CALIBRATION, levels={**CALIBRATION.levels, "searched": replace(LEVEL, convicting=0.6)})
    assert decide(both, evaluation, [], [], calibration=sure).label is Label.BACKDOORED
    failing = Evaluation(Rate(95, 100), tuple((t, Rate(60, 90)) for t in weighed.triggers), 100, "CPU")
    assert decide(both, failing, [], [], calibration=sure).label is not Label.BACKDOORED


def test_size_is_that_of_the_smallest_mask_and_not_of_the_strengthened_one() -> None:
    evidence, evaluation = case(0.022)
    grown = tuple(replace(t, mask=t.mask * 1.5, minimal=0.022) for t in evidence.triggers)
    judged = tuple((t, Rate(90, 90)) for t in grown)
    assert label(replace(evidence, triggers=grown), replace(evaluation, attack_success=judged)) is Label.BACKDOORED


def test_two_targets_are_both_convicted() -> None:
    triggers = tuple(trigger(t, seed, size) for t, size in ((0, 0.01), (1, 0.012)) for seed in (0, 1))
    evidence = Evidence("nc", (0.01, 0.012, *OTHERS), "size", triggers=triggers)
    evaluation = Evaluation(Rate(95, 100), tuple((t, Rate(90, 90)) for t in triggers), 100, "CPU")
    assert decide([evidence], evaluation, [], []).targets == (0, 1)


def infected(sizes: tuple[float, ...], rates: tuple[Rate, ...]) -> tuple[Evidence, Evaluation]:
    """Classes of these sizes first, with two triggers each and this success, then the others."""
    triggers = tuple(trigger(t, seed, size) for t, size in enumerate(sizes) for seed in (0, 1))
    evidence = Evidence("nc", (*sizes, *SPREAD_OUT), "size", triggers=triggers)
    return evidence, Evaluation(Rate(95, 100), tuple((t, rates[t.target]) for t in triggers), 100, "CPU")


SPREAD_OUT = (0.06, 0.05, 0.07, 0.11, 0.13, 0.09, 0.1)


def test_infected_labels_do_not_hide_each_other() -> None:
    evidence, evaluation = infected((0.008, 0.0085, 0.009), (Rate(90, 90),) * 3)
    smallest, _, largest = accusations([evidence], evaluation)
    assert smallest.p_value > Policy().p_value >= largest.p_value
    assert decide([evidence], evaluation, [], []).targets == (0, 1, 2)


def test_a_small_trigger_that_does_not_work_convicts_no_larger_one() -> None:
    evidence, evaluation = infected((0.008, 0.0085, 0.009), (Rate(90, 90), Rate(40, 90), Rate(90, 90)))
    assert decide([evidence], evaluation, [], []).label is not Label.BACKDOORED


def test_small_triggers_in_a_scattered_field_convict_nobody() -> None:
    evidence, evaluation = infected((0.02, 0.022), (Rate(90, 90),) * 2)
    scattered = replace(evidence, classes=(0.02, 0.022, *SCATTERED[1:]))
    assert decide([scattered], evaluation, [], []).label is Label.SUSPICIOUS


def test_beside_a_convicted_class_a_smallish_one_is_a_suspect() -> None:
    evidence, evaluation = infected((0.004, 0.03), (Rate(90, 90),) * 2)
    verdict = decide([replace(evidence, detector="neural-cleanse", sizes=True)], evaluation, [], [], calibration=SURE)
    assert (verdict.targets, verdict.suspects) == ((0,), (1,))
    assert Verdict.suspecting(1) in verdict.reasons


def test_a_suspect_that_the_training_set_convicts_is_a_target_and_no_suspect_any_more() -> None:
    evidence, evaluation = infected((0.004, 0.03), (Rate(90, 90),) * 2)
    poison = PoisonedSamples(
        target=1, positions=np.arange(100), scores=np.full(100, 0.9), labelled=1000,
        reclassified=Reclassified(3, 90, 1), silhouette=0.2, followed=Rate(98, 100), clean=Rate(0, 0),
        transplant=Rate(95, 100), points=np.zeros((4, 2), np.float32), inside=np.zeros(4, bool),
    )  # fmt: skip
    clusters = Evidence("activation-clustering", (0.0,) * len(evidence.classes), "moved", (1,), poisoned=(poison,))
    verdict = decide(
        [replace(evidence, detector="neural-cleanse", sizes=True), clusters], evaluation, [], [], calibration=SURE
    )
    assert (verdict.targets, verdict.suspects) == ((1, 0), ())
    assert "further-suspect" not in dict(verdict.reasons)


def test_only_suspects_that_became_targets_are_dropped() -> None:
    reasons = (Verdict.suspecting(1), Verdict.suspecting(2), ("outlier", "It is."))
    verdict = Verdict(Label.BACKDOORED, 0.9, (0, 1), reasons, (1, 2)).settled()
    assert (verdict.suspects, verdict.reasons) == ((2,), reasons[1:])
    assert verdict.settled() is verdict


def test_a_smallish_trigger_of_a_class_that_is_easy_by_nature_makes_no_suspect() -> None:
    evidence, evaluation = infected((0.004, 0.03), (Rate(90, 90),) * 2)
    natural = [0.0, 4.0, *[0.0] * (len(evidence.classes) - 2)]
    known = replace(evidence, detector="neural-cleanse", sizes=True, details={**evidence.details, "natural": natural})
    verdict = decide([known], evaluation, [], [])
    assert (verdict.targets, verdict.suspects) == ((0,), ())


def test_what_could_not_be_checked_is_never_clean() -> None:
    evidence, evaluation = case(0.09)
    assert decide([evidence], evaluation, [], [Failure("twin", "broke")]).label is Label.INCONCLUSIVE
    assert decide([evidence], evaluation, [Skipped("nc", "few samples")], []).label is Label.INCONCLUSIVE
    assert decide([], evaluation, [], []).label is Label.INCONCLUSIVE
    assert decide([evidence], None, [], []).label is Label.INCONCLUSIVE
    assert label(*case(0.09, details={"settled": 0.1})) is Label.INCONCLUSIVE
    assert label(replace(evidence, classes=(0.09,) + (float("nan"),) * 9), evaluation) is Label.INCONCLUSIVE
    assert label(evidence, replace(evaluation, clean_accuracy=Rate(16, 100))) is Label.INCONCLUSIVE


@pytest.mark.parametrize("asr", [90, 70])
def test_triggers_that_there_was_no_time_to_look_for_are_told_of_accused_classes(asr: int) -> None:
    evidence, evaluation = case(0.01, asr=(Rate(90, 90), Rate(asr, 90)), details={"further_stopped": [0, 3]})
    verdict = decide([evidence], evaluation, [], [])
    assert verdict.label is (Label.BACKDOORED if asr == 90 else Label.SUSPICIOUS)
    (why,) = (words for code, words in verdict.reasons if code == "further-unsearched")
    assert "all triggers of class 0" in why
    assert meaning_of("further-unsearched").label is Label.SUSPICIOUS


@pytest.mark.parametrize("size", [0.01, 0.09])
def test_a_method_that_is_not_made_for_such_a_model_changes_no_verdict(size: float) -> None:
    evidence, evaluation = case(size)
    usual = decide([evidence], evaluation, [], [])
    other = [Skipped("pair-search", "takes up to 20 classes, and there are 43", due=False)]
    assert decide([evidence], evaluation, other, []) == usual
    assert usual.label is (Label.CLEAN if size > 0.05 else Label.BACKDOORED)
    assert decide([], evaluation, other, []).label is Label.INCONCLUSIVE


def test_a_method_that_only_measures_cannot_acquit() -> None:
    measured = Evidence("noise", (0.1,) * 10, "share of noise inputs", flagged=(3,))
    _, evaluation = case(0.09)
    assert label(measured, replace(evaluation, attack_success=())) is Label.INCONCLUSIVE
    evidence, evaluation = case(0.09)
    assert decide([evidence, measured], evaluation, [], []).label is Label.INCONCLUSIVE
    assert decide([evidence, replace(measured, flagged=())], evaluation, [], []).label is Label.CLEAN


@pytest.mark.parametrize(
    ("size", "asr", "expected"),
    [
        pytest.param(0.01, (Rate(90, 90), Rate(89, 90)), Label.BACKDOORED, id="a few pixels"),
        pytest.param(0.04, (Rate(90, 90), Rate(89, 90)), Label.SUSPICIOUS, id="more than a few"),
        pytest.param(0.06, (Rate(90, 90), Rate(89, 90)), Label.INCONCLUSIVE, id="a clean model's may be as large"),
        pytest.param(0.01, (Rate(90, 90), Rate(9, 90)), Label.INCONCLUSIVE, id="does not work"),
        pytest.param(0.35, (Rate(90, 90), Rate(89, 90)), Label.INCONCLUSIVE, id="as large as the others"),
    ],
)
def test_loose_sizes_convict_by_stricter_rules_and_never_acquit(
    size: float, asr: tuple[Rate, ...], expected: Label
) -> None:
    evidence, evaluation = case(size, others=(0.3, 0.35, 0.4, 0.33, 0.36, 0.31, 0.42, 0.6, 0.3), asr=asr)
    verdict = decide([replace(evidence, loose=True)], evaluation, [], [])
    assert verdict.label is expected
    assert "outlier" not in {code for code, _ in verdict.reasons}
    assert ("no-gradient-search" in {code for code, _ in verdict.reasons}) is (expected is Label.INCONCLUSIVE)


def test_loose_sizes_do_not_spoil_the_acquittal_by_a_search_with_gradients() -> None:
    evidence, evaluation = case(0.09)
    loose, judged = case(0.04, others=(0.4,) * 9)
    both = replace(evaluation, attack_success=evaluation.attack_success + judged.attack_success)
    assert decide([evidence, replace(loose, loose=True, detector="ps")], both, [], []).label is Label.SUSPICIOUS
    loose, judged = case(0.3, others=(0.4,) * 9)
    both = replace(evaluation, attack_success=evaluation.attack_success + judged.attack_success)
    verdict = decide([evidence, replace(loose, loose=True, detector="ps")], both, [], [])
    assert verdict.label is Label.CLEAN
    assert "9.0% of the picture" in verdict.reasons[0][1]


def test_what_leaks_into_other_classes_is_no_backdoor_of_its_own() -> None:
    def verdict(second: float) -> tuple[int, ...]:
        triggers = tuple(trigger(t, seed, size) for t, size in ((0, 0.004), (1, second)) for seed in (0, 1))
        evidence = Evidence("ps", (0.004, second, *(0.3,) * 8), "size", triggers=triggers, loose=True)
        evaluation = Evaluation(Rate(95, 100), tuple((t, Rate(90, 90)) for t in triggers), 100, "CPU")
        return decide([evidence], evaluation, [], []).targets

    assert verdict(0.007) == (0, 1)
    assert verdict(0.011) == (0,)


def test_a_failure_elsewhere_does_not_hide_a_proven_backdoor() -> None:
    evidence, evaluation = case(0.01)
    assert decide([evidence], evaluation, [], [Failure("other", "broke")]).label is Label.BACKDOORED


def test_a_small_trigger_that_is_refuted_is_named_as_such() -> None:
    evidence, evaluation = case(0.01, asr=(Rate(90, 90), Rate(9, 90)))
    (reason,) = decide([evidence], evaluation, [], []).reasons
    assert reason[0] == "refuted"
    assert "9 of 90" in reason[1]


def test_a_small_trigger_that_works_on_four_of_ten_is_not_refuted() -> None:
    assert label(*case(0.01, asr=(Rate(4, 10), Rate(4, 10)))) is Label.INCONCLUSIVE


def screened(target_size: float, controls: tuple[float, ...]) -> tuple[Evidence, Evaluation]:
    """Class 0 of a hundred, searched because a screen named it, beside controls; no other class was searched."""
    sizes = (target_size, *controls, *[float("nan")] * (99 - len(controls)))
    evidence, evaluation = case(target_size)
    return replace(evidence, classes=sizes, controls=tuple(range(1, 1 + len(controls)))), evaluation


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param(screened(0.005, 2 * OTHERS), Label.BACKDOORED, id="far below the controls"),
        pytest.param(screened(0.05, 2 * OTHERS), Label.CLEAN, id="below them, as one of a hundred would be"),
        pytest.param(screened(0.02, 2 * SCATTERED), Label.SUSPICIOUS, id="controls that scatter"),
        pytest.param(screened(0.05, (*OTHERS[:3], *[float("nan")] * 9)), Label.INCONCLUSIVE, id="few controls reached"),
    ],
)
def test_controls_stand_for_the_classes_that_were_not_searched(
    evidence: tuple[Evidence, Evaluation], expected: Label
) -> None:
    assert label(*evidence) is expected


def nominator(p_value: float, flagged: tuple[int, ...] = (0,)) -> Evidence:
    return Evidence("ni", (0.0,) * 10, "heatmaps", flagged, 0.6, p_value)


@pytest.mark.parametrize(
    ("found", "named", "expected"),
    [
        pytest.param(case(0.09), nominator(0.005), Label.CLEAN, id="its trigger is like the others'"),
        pytest.param(case(0.09), nominator(0.0005), Label.INCONCLUSIVE, id="and it stands out too far for that"),
        pytest.param(case(0.09), nominator(0.005, (1,)), Label.INCONCLUSIVE, id="none of its triggers was judged"),
        pytest.param(case(0.01), nominator(0.0005), Label.BACKDOORED, id="a small trigger convicts as before"),
    ],
)
def test_a_nomination_is_weighed_against_the_trigger(
    found: tuple[Evidence, Evaluation], named: Evidence, expected: Label
) -> None:
    verdict = decide([found[0], named], found[1], [], [])
    assert verdict.label is expected
    told = {"clean": "nominated", "inconclusive": "unexplained" if named.flagged == (0,) else "flagged"}
    assert told.get(expected.value, "verified-trigger") in {code for code, _ in verdict.reasons}


def test_a_nomination_that_no_search_could_judge_is_suspicious_and_no_more() -> None:
    skipped = [Skipped("nc", "needs clean pictures")]
    verdict = decide([nominator(0.0001)], None, skipped, [])
    assert (verdict.label, verdict.targets, verdict.score) == (Label.SUSPICIOUS, (0,), 0.6)
    assert {code for code, _ in verdict.reasons} == {"nominated", "check-skipped", "not-judged"}
    assert decide([nominator(0.02)], None, skipped, []).label is Label.INCONCLUSIVE
    assert decide([nominator(0.0001, ())], None, skipped, []).label is Label.INCONCLUSIVE
