import time
from functools import partial

import pytest
import torch
from onnxray.kernels.activation_norms import backend_for
from onnxray.models.speed.norms import LAYOUTS, SHAPES, measure
from onnxray.models.speed.timing import Spread, clock_for, interleaved, ratios, spread, thread_seconds


def test_variants_take_turns_in_an_order_that_the_seed_decides() -> None:
    def order(seed: int) -> list[str]:
        calls: list[str] = []
        interleaved({name: partial(calls.append, name) for name in "abc"}, 6, seed)
        return calls

    calls = order(1)
    assert calls[:3] == ["a", "b", "c"]  # the unmeasured ones
    assert all(sorted(calls[i : i + 3]) == ["a", "b", "c"] for i in range(0, 21, 3))
    assert order(1) == calls != order(2)


def test_ratios_are_of_rounds() -> None:
    got = ratios({"a": [1.0, 10.0, 2.0], "b": [3.0, 30.0, 6.0]}, "a")
    assert got == {"a": Spread(1, 1, 1), "b": Spread(3, 3, 3)}


def test_spread_is_median_and_quartiles() -> None:
    assert spread([5.0]) == Spread(5, 5, 5)
    assert spread([4.0, 1.0, 3.0, 2.0, 5.0]) == Spread(3, 2, 4)


def test_sleeping_is_not_work() -> None:
    assert thread_seconds(lambda: time.sleep(0.05)) < 0.02
    assert clock_for("cpu")(lambda: sum(range(300_000))) > 0


def test_every_shape_and_layout_is_a_row() -> None:
    rows = measure(samples=1, rounds=3)
    assert [(row.shape[1:], row.layout) for row in rows] == [(s[1:], layout) for s in SHAPES for layout in LAYOUTS]
    assert all(row.seconds > 0 and row.speedup.low <= row.speedup.median <= row.speedup.high for row in rows)


def test_the_compiled_norms_are_far_faster_than_three_reductions() -> None:
    if backend_for("cpu").name != "compiled":
        pytest.skip(backend_for("cpu").note)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        rows = measure(samples=8, rounds=5)
    finally:
        torch.set_num_threads(before)
    assert all(row.speedup.median > 3 for row in rows), rows  # 6 and more where nothing else runs
