import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxray.scanner.outliers import CONSISTENCY, anomaly_index, cut, p_value, ranking


def test_index_counts_robust_deviations_below_the_median() -> None:
    scores = np.array([1.0, 4.0, 5.0, 6.0, 9.0])  # median 5, median deviation 1
    np.testing.assert_allclose(anomaly_index(scores), (5 - scores) / CONSISTENCY)


@pytest.mark.parametrize("scores", [[1.0, 2.0], [3.0, 3.0, 3.0, 9.0], [np.nan, 1.0, 2.0]])
def test_index_is_undefined_for_ties_and_too_few_classes(scores: list[float]) -> None:
    assert np.isnan(anomaly_index(np.array(scores))).all()


def test_a_least_spread_makes_ties_comparable_and_changes_no_wider_ones() -> None:
    tied, wide = np.array([3.0, 3.0, 3.0, 1.0]), np.array([1.0, 4.0, 5.0, 6.0, 9.0])
    assert anomaly_index(tied, least=0.5) == pytest.approx([0, 0, 0, 4])
    assert anomaly_index(wide, least=0.5) == pytest.approx(anomaly_index(wide))
    assert ranking(tied, 0.01, least=0.5).order[0] == 3


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=30), st.floats(0.1, 10), st.floats(-5, 5))
def test_index_does_not_depend_on_unit_or_origin(scores: list[int], scale: float, shift: float) -> None:
    exact = np.array(scores, dtype=np.float64)
    before, after = anomaly_index(exact), anomaly_index(exact * scale + shift)
    if not np.isnan(before).any():  # where the scores tie, rounding decides whether they still do
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("classes", "five", "one"), [(5, 5.6, 13), (10, 3.9, 6.0), (20, 3.5, 4.6), (100, 3.5, 4.1)])
def test_cuts_match_the_published_simulation(classes: int, five: float, one: float) -> None:
    assert cut(classes, 0.05) == pytest.approx(five, rel=0.06)
    assert cut(classes, 0.01) == pytest.approx(one, rel=0.1)


def test_index_above_two_is_no_evidence_among_ten_classes() -> None:
    assert p_value(2.0, 10) == pytest.approx(0.33, abs=0.03)


def test_two_classes_can_never_be_told_apart_by_their_median() -> None:
    assert p_value(100.0, 2) == 1.0
    assert cut(2, 0.05) == float("inf")


@given(st.integers(3, 60), st.floats(0, 20), st.floats(0, 20))
def test_p_value_falls_as_the_index_rises(classes: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 0 < p_value(high, classes) <= p_value(low, classes) <= 1


def test_a_ranking_tells_the_first_class_and_how_rare_it_is() -> None:
    scores = np.array([0.1, -0.2, 0.0, -9.0, 0.2, np.nan, 0.15, -0.1])
    ranked = ranking(scores, 0.05)
    assert ranked.order[0] == 3
    assert ranked.beyond == (3,)
    assert 5 not in ranked.order
    assert ranked.cut == cut(7, 0.05)
    assert ranked.score > 0.5
    assert ranked.p_value == p_value(float(ranked.index[3]), 7)
    assert ranked.told["anomaly_index"][5] is None  # type: ignore[index]


def test_a_size_of_nothing_is_the_most_extreme_there_is() -> None:
    with np.errstate(divide="ignore"):
        ranked = ranking(np.log(np.array([1.0, 2.0, 3.0, 0.0, 4.0])), 0.05)
    assert ranked.order[0] == 3
    assert ranked.beyond[0] == 3
    assert ranked.score == 1.0
    assert ranked.p_value is not None
    assert ranked.p_value < 0.001
    json.dumps(ranked.told, allow_nan=False)


def test_where_nothing_can_be_compared_nothing_is_ranked() -> None:
    for scores in (np.full(4, np.nan), np.ones(6), np.array([1.0, 2.0])):
        ranked = ranking(scores, 0.05)
        assert (ranked.order, ranked.beyond, ranked.cut, ranked.score, ranked.p_value) == ((), (), None, 0.0, None)
