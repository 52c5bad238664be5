import pytest
import torch
from onnxray.scanner.cost_schedule import CostSchedule


def run(schedule: CostSchedule, successes: list[float]) -> list[float]:
    """The cost after each step."""
    costs = []
    for asr in successes:
        schedule.update(torch.arange(1), torch.tensor([10 * asr]), torch.tensor([10]))
        costs.append(float(schedule.cost[0]))
    return costs


def test_cost_starts_at_the_first_success_and_then_grows() -> None:
    costs = run(CostSchedule(1, window=2, initial=1e-3, ramp=2.0), [1.0] * 6)
    assert costs == pytest.approx([0, 1e-3, 1e-3, 2e-3, 2e-3, 4e-3])


def test_after_the_first_failure_it_grows_more_slowly() -> None:
    costs = run(CostSchedule(1, window=1, initial=1.0, ramp=10.0, multiplier=4.0), [1.0, 1.0, 0.0, 1.0, 1.0])
    assert costs == pytest.approx([1, 10, 10 / 8, 10 / 2, 10 * 2])


def test_success_is_the_mean_over_the_window() -> None:
    assert run(CostSchedule(1, asr=0.9, window=2), [1.0, 0.8])[-1] > 0
    assert run(CostSchedule(1, asr=0.9, window=2), [1.0, 0.7])[-1] == 0


def test_cost_falls_by_the_multiplier_to_the_power_of_one_and_a_half() -> None:
    costs = run(CostSchedule(1, window=1, multiplier=4.0, initial=1.0), [1.0, 0.0, 0.0])
    assert costs == pytest.approx([1, 1 / 8, 1 / 64])


def test_failures_before_the_first_success_do_not_count() -> None:
    schedule = CostSchedule(1, window=1)
    assert run(schedule, [0.5] * 7) == [0.0] * 7
    assert not schedule.settled[0]


def test_settled_only_after_up_and_down() -> None:
    schedule = CostSchedule(1, window=1)
    for asr, settled in [(1.0, False), (1.0, False), (0.0, True)]:
        run(schedule, [asr])
        assert bool(schedule.settled[0]) is settled


def test_searches_do_not_touch_each_other() -> None:
    schedule = CostSchedule(3, window=1)
    schedule.update(torch.tensor([0, 2]), torch.tensor([10, 2]), torch.tensor([10, 10]))
    assert schedule.cost.tolist() == pytest.approx([1e-3, 0, 0])


def test_a_window_without_pictures_that_count_changes_nothing() -> None:
    schedule = CostSchedule(1, window=1)
    run(schedule, [1.0, 1.0])
    before = float(schedule.cost[0])
    schedule.update(torch.arange(1), torch.tensor([0]), torch.tensor([0]))
    assert float(schedule.cost[0]) == before
    assert not schedule.settled[0]


def test_batches_count_by_their_pictures() -> None:
    schedule = CostSchedule(1, asr=0.9, window=2)
    schedule.update(torch.arange(1), torch.tensor([0]), torch.tensor([1]))
    schedule.update(torch.arange(1), torch.tensor([15]), torch.tensor([15]))
    assert float(schedule.cost[0]) > 0
