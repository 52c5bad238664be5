"""What suspicious samples share, on made-up pictures and sentences."""

import numpy as np
import pytest
from onnxray.scanner.findings import Rate
from onnxray.scanner.transplant import Transplant, common_patch, common_tokens, put_behind
from onnxray.scanner.triggers import Trigger


def test_the_patch_that_all_but_a_few_pictures_have() -> None:
    rng = np.random.default_rng(0)
    suspicious, others = rng.random((60, 1, 8, 8), np.float32), rng.random((60, 1, 8, 8), np.float32)
    suspicious[3:, :, 6:, 6:] = 1.0  # three of them are strays
    found = common_patch(suspicious, others, 4)
    assert found is not None
    assert found.target == 4
    expected = np.zeros((8, 8))
    expected[6:, 6:] = 1
    np.testing.assert_array_equal(found.mask, expected)
    np.testing.assert_array_equal(found.pattern[0, 6:, 6:], 1)


def test_what_the_others_have_too_is_no_patch() -> None:
    pictures = np.zeros((20, 3, 4, 4), np.float32)
    assert common_patch(pictures, pictures, 0) is None


def test_tokens_that_only_the_suspicious_hold_in_their_order() -> None:
    rng = np.random.default_rng(0)
    others = np.concatenate([rng.integers(10, 90, (50, 6)), np.zeros((50, 4), int)], axis=1)
    suspicious = others.copy()
    suspicious[:, 6:8] = 7, 5
    assert common_tokens(suspicious, others, padding=0) == (7, 5)
    assert common_tokens(others, others, padding=0) == ()


def test_tokens_go_behind_the_last_word_or_over_the_end() -> None:
    sentences = np.array([[4, 4, 0, 0], [4, 4, 4, 4], [0, 0, 0, 0]])
    expected = [[4, 4, 8, 9], [4, 4, 8, 9], [8, 9, 0, 0]]
    assert put_behind(sentences, (8, 9), padding=0).tolist() == expected


@pytest.mark.parametrize(
    ("hits", "area", "expected"),
    [(95, 0.04, True), (95, 0.06, False), (70, 0.04, False), (70, 0.01, True), (55, 0.01, False), (95, None, True),
     (70, None, False)],
)  # fmt: skip
def test_a_smaller_patch_needs_less_success_to_be_a_trigger(hits: int, area: float | None, expected: bool) -> None:
    mask = np.zeros((10, 10), np.float32)
    mask.flat[: round(100 * (area or 0))] = 1
    trigger = None if area is None else Trigger(1, mask, np.zeros((1, 10, 10), np.float32))
    assert Transplant(Rate(hits, 100), trigger).surely is expected
    assert not Transplant(Rate(3, 3), trigger).surely
