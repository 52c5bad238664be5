"""Rates, areas and intervals against numbers worked out by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from onnxray.models.bench.statistics import Share, auc, curve, reliability, tpr_at
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve


def drawn(trojaned: int, clean: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(1, 1, trojaned).round(1), rng.normal(0, 1, clean).round(1)  # rounded, so that there are ties


def test_the_area_counts_pairs_and_ties_half() -> None:
    found = auc([3, 2, 1], [2, 0])  # pairs: 3>2 3>0, 2=2 2>0, 1<2 1>0
    assert found is not None
    assert found.value == pytest.approx(4.5 / 6)


def test_the_area_is_that_of_scikit_learn_and_its_interval_covers_it() -> None:
    trojaned, clean = drawn(40, 60)
    found = auc(trojaned, clean)
    assert found is not None
    assert found.value == pytest.approx(roc_auc_score([1] * 40 + [0] * 60, np.concatenate([trojaned, clean])))
    assert found.lower < found.value < found.upper
    # Hanley and McNeil 1982: the standard error of this area with these numbers is about 0.045
    assert 0.12 < found.upper - found.lower < 0.24
    assert auc(trojaned, clean) == found


def test_intervals_narrow_with_more_models() -> None:
    few, many = auc(*drawn(10, 10)), auc(*drawn(300, 300))
    assert few is not None
    assert many is not None
    assert many.upper - many.lower < (few.upper - few.lower) / 2


def test_a_perfect_ranking_of_few_models_is_not_certain() -> None:
    lower = {}
    for count in (1, 4, 16, 64):
        found = auc([2.0] * count, [1.0] * count)
        assert found is not None
        assert (found.value, found.upper) == (1, 1)
        lower[count] = found.lower
    assert lower[1] == pytest.approx(1 / (1 + 1.959964**2))  # Wilson, 1 of 1
    assert lower[1] < lower[4] < 0.8 < lower[16] < lower[64] < 0.99
    worst = auc([0.0] * 4, [1.0] * 4)
    assert worst is not None
    assert (worst.value, worst.lower) == (0, 0)
    assert worst.upper == pytest.approx(1 - lower[4])


def test_one_model_tells_little() -> None:
    found = auc([0.85], [float(i) / 10 for i in range(10)])
    assert found is not None
    assert found.value == 0.9
    assert found.lower < 0.4
    assert 0.9 < found.upper < 1


@pytest.mark.parametrize(("trojaned", "clean"), [([], [1.0]), ([1.0], [])])
def test_no_area_without_one_of_each(trojaned: list[float], clean: list[float]) -> None:
    assert auc(trojaned, clean) is None


def test_a_rate_within_a_limit_of_false_alarms() -> None:
    clean = [0.9, 0.8, *[0.1] * 98]
    strict, loose = (tpr_at([0.95, 0.85, 0.5, 0.05], clean, limit) for limit in (0.01, 0.02))
    assert strict is not None
    assert loose is not None
    assert (strict.allowed, strict.found.hits) == (1, 2)  # one false alarm, 0.9, is allowed: above 0.8
    assert (loose.allowed, loose.found.hits) == (2, 3)  # above 0.1
    assert (strict.clean, strict.found.trials) == (100, 4)


def test_a_limit_below_one_model_allows_no_false_alarm() -> None:
    found = tpr_at([0.5, 0.4], [0.4, *[0.0] * 15], 0.05)
    assert found is not None
    assert (found.allowed, found.clean, found.found.hits) == (0, 16, 1)  # a tie with the worst clean one is not found
    assert tpr_at([1.0], [], 0.05) is None


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.2, 1.0])
def test_the_rate_is_the_curves(limit: float) -> None:
    trojaned, clean = drawn(50, 70)
    false, true, _ = roc_curve([1] * 50 + [0] * 70, np.concatenate([trojaned, clean]), drop_intermediate=False)
    found = tpr_at(trojaned, clean, limit)
    assert found is not None
    assert found.found.value == pytest.approx(true[false <= limit + 1e-12].max())


def test_the_curve_goes_from_corner_to_corner() -> None:
    false, true = curve([2, 1], [1, 0])
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert list(zip(false, true, strict=True))[1:-1] == [(0, 0.5), (0.5, 1)]


def test_a_share_of_nothing_is_no_number() -> None:
    assert Share.of([]) == Share(0, 0, None, 0.0, 1.0)
    half = Share.of([True, False])
    assert (half.hits, half.trials, half.value) == (1, 2, 0.5)
    assert half.lower == pytest.approx(0.0945, abs=1e-3)


def test_reliability_by_hand() -> None:
    found = reliability([0.05, 0.15, 0.95, 1.0], [False, True, True, True])
    assert found is not None
    assert [(b.low, b.trojaned.hits, b.trojaned.trials) for b in found.bins] == [(0.0, 0, 1), (0.1, 1, 1), (0.9, 2, 2)]
    assert found.error == pytest.approx((0.05 + 0.85 + 2 * 0.025) / 4)
    assert found.brier == pytest.approx(brier_score_loss([0, 1, 1, 1], [0.05, 0.15, 0.95, 1.0]))
    assert reliability([], []) is None
