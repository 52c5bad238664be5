"""Keeping the smallest mask that works: the same answer as looking at every picture, with fewer looks."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxray.scanner.best_triggers import BestTriggers
from onnxray.scanner.victims import Victims
from torch import Tensor

PICTURES, TARGETS = 60, torch.tensor([0, 1])


def victims() -> Victims:
    """Sixty pictures, of which the first twenty are of class 0 already."""
    return Victims(torch.zeros(PICTURES, 1, 2, 2), (torch.arange(PICTURES) >= 20).long() * 2)


def classify(missed: Tensor, seen: list[int]) -> object:
    """A model that every trigger turns, but for these pictures; both triggers' target is named by the pattern."""

    def classes(index: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
        seen.append(index.numel())
        targets = patterns[:, 0, 0, 0].round().long()[:, None]
        return torch.where(missed[index], 9, targets)

    return classes


def tried(best: BestTriggers, missed: Tensor, size: float) -> int:
    """Try one mask of a size for both searches; return how many pictures were looked at."""
    seen: list[int] = []
    masks = torch.full((2, 1, 2, 2), size / 4)
    patterns = TARGETS.float().reshape(2, 1, 1, 1).expand(-1, 1, 2, 2)
    best.keep(torch.arange(2), masks, patterns, classify(missed, seen), 32)  # type: ignore[arg-type]
    return sum(seen)


@given(st.sets(st.integers(0, PICTURES - 1), max_size=8), st.sampled_from([0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_it_keeps_what_works_on_every_picture_that_counts(numbers: set[int], asr: float) -> None:
    best = BestTriggers(victims(), TARGETS, asr)
    missed = torch.zeros(PICTURES, dtype=torch.bool)
    missed[list(numbers)] = True
    tried(best, missed, 1.0)
    for row, counted in enumerate((40, 60)):  # those of class 0 say nothing of a trigger for class 0
        success = 1 - sum(n >= PICTURES - counted for n in numbers) / counted
        assert torch.isfinite(best.size[row]).item() == (success >= asr)
        if success >= asr:
            assert abs(float(best.success[row]) - success) < 1e-6


def test_pictures_that_missed_before_are_asked_first() -> None:
    best = BestTriggers(victims(), TARGETS, 0.99)
    missed = torch.zeros(PICTURES, dtype=torch.bool)
    missed[-3:] = True
    first, second = tried(best, missed, 2.0), tried(best, missed, 1.0)
    assert first > 60
    assert second <= 2 * 16
    assert tried(best, torch.zeros_like(missed), 0.5) == 2 * 60  # as many for both: they share their passes
    assert best.size.tolist() == [0.5, 0.5]
