"""What the table of several triggers calls found."""

from pathlib import Path

import numpy as np
from onnxray.models.several_triggers import on_place, truth_of
from onnxray.scanner.triggers import Trigger


def folder(path: Path) -> Path:
    """Four black pictures; two triggers, each on two of them: a white pixel in the first and in the last corner."""
    x = np.zeros((4, 6, 6), np.uint8)
    stamped = np.zeros((4, 6, 6), np.uint8)
    stamped[:2, 0, 0], stamped[2:, -1, -1] = 255, 255
    np.savez(path / "samples.npz", x=x, y=np.arange(4), index=np.arange(4))
    np.savez(path / "stamped.npz", x=stamped, source=np.arange(4), wanted=[7, 7, 8, 8], trigger=[0, 0, 1, 1])
    return path


def test_each_true_trigger_has_its_pixels_target_and_pictures(tmp_path: Path) -> None:
    one, two = truth_of(folder(tmp_path))
    assert (one.target, two.target) == (7, 8)
    assert np.argwhere(one.pixels).tolist() == [[0, 0]]
    assert np.argwhere(two.pixels).tolist() == [[5, 5]]
    assert two.shown.tolist() == [2, 3]


def test_found_is_a_mask_of_the_class_on_its_pixels(tmp_path: Path) -> None:
    one, two = truth_of(folder(tmp_path))
    mask = np.zeros((6, 6), np.float32)
    mask[0, 0], mask[3, 3] = 0.6, 0.2
    trigger = Trigger(7, mask, np.ones((1, 6, 6), np.float32))
    assert on_place(trigger, one) == np.float32(0.6) / np.float32(0.8)
    assert on_place(trigger, two) == 0
