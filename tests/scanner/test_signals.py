"""Signals: the same scale for every method, NaN only for what was not measured."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxray.scanner.findings import Evaluation, Evidence, Rate
from onnxray.scanner.outliers import anomaly_index, p_value
from onnxray.scanner.signals import MOST, signals
from onnxray.scanner.triggers import Trigger

SIZES = (0.2, 0.16, 0.18, 0.02, 0.22, 0.21)


def searched(sizes: tuple[float, ...] = SIZES, seeds: int = 2) -> Evidence:
    index = [None if np.isnan(v) else float(v) for v in anomaly_index(np.log(np.asarray(sizes)))]
    target = int(np.nanargmin(sizes))
    triggers = tuple(
        Trigger(target, np.full((4, 4), sizes[target], np.float32), np.ones((1, 4, 4), np.float32), seed)
        for seed in range(seeds)
    )
    return Evidence("search", sizes, "share", triggers=triggers, sizes=True, details={"anomaly_index": index})


def judged(evidence: Evidence, *hits: int) -> Evaluation:
    rates = tuple((t, Rate(h, 100)) for t, h in zip(evidence.triggers, hits, strict=True))
    return Evaluation(Rate(9, 10), rates, 100, "CPU")


def test_both_signals_of_a_search() -> None:
    evidence = searched()
    table = signals([evidence], judged(evidence, 100, 100), 6)
    assert table["search.far"][3] == pytest.approx(np.log2(0.19 / 0.02))
    index = evidence.details["anomaly_index"][3]  # type: ignore[index]
    assert table["search.rare"][3] == pytest.approx(-np.log10(p_value(index, 6)))
    assert table["search.far"][4] == 0  # above the median is not suspicious


def test_a_trigger_that_fails_on_unseen_pictures_is_worth_less() -> None:
    evidence = searched()
    all_work = signals([evidence], judged(evidence, 100, 100), 6)["search.far"][3]
    assert signals([evidence], judged(evidence, 100, 75), 6)["search.far"][3] == pytest.approx(all_work / 2)
    assert signals([evidence], judged(evidence, 40, 100), 6)["search.far"][3] == 0


def test_a_class_that_was_never_reached_is_not_suspicious_and_one_left_out_is_unknown() -> None:
    sizes = (0.2, float("nan"), 0.18, 0.02, 0.22, 0.21)
    assert signals([searched(sizes)], None, 6)["search.far"][1] == 0
    screened = replace(searched(sizes), controls=(0, 2, 4, 5))
    assert np.isnan(signals([screened], None, 6)["search.far"][1])


def test_large_statistics_count_upwards_and_those_without_a_zero_have_no_ratio() -> None:
    e = Evidence("margin", (10.0, 11.0, 9.0, 40.0), "margin", large=True, sizes=True)
    assert signals([e], None, 4)["margin.far"][3] == pytest.approx(np.log2(40 / 10.5))
    assert signals([replace(e, sizes=False)], None, 4) == {}


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30))
def test_every_signal_is_in_range(sizes: list[float]) -> None:
    table = signals([searched(tuple(sizes))], None, len(sizes))
    for values in table.values():
        assert all(0 <= v <= MOST for v in values if not np.isnan(v))


def test_what_was_stopped_before_its_end_gives_no_signal() -> None:
    evidence = searched()
    stopped = replace(evidence, details={**evidence.details, "complete": False})
    assert signals([stopped], None, 6) == {}
