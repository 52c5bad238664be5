"""The three analyses on clusters that are made up, so that every figure is known."""

import numpy as np
import pytest
from onnxray.scanner.clusters import Reclassified, depth, project, reclassified, silhouette, split


def test_reclassification_counts_the_own_class_and_all_others() -> None:
    found = reclassified(np.array([3, 3, 1, 1, 1, 0]), 3)
    assert (found.own, found.other, found.source) == (2, 4, 1)
    assert found.ratio == pytest.approx(0.5)
    assert found.moved == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("found", "ratio", "moved"), [(Reclassified(5, 0, 0), float("inf"), 0.0), (Reclassified(0, 5, 0), 0.0, 1.0)]
)
def test_the_ends_of_the_scale(found: Reclassified, ratio: float, moved: float) -> None:
    assert (found.ratio, found.moved) == (ratio, moved)


def test_a_label_above_all_predictions_is_none_of_them() -> None:
    assert reclassified(np.array([0, 0, 1]), 7).own == 0


def test_the_second_cluster_is_the_smaller_one() -> None:
    points = np.array([[0.0], [0.1], [0.2], [9.0]])
    clusters, centres = split(points, seed=0)
    assert clusters.tolist() == [0, 0, 0, 1]
    assert centres[:, 0] == pytest.approx([0.1, 9.0])


def test_silhouette_of_two_pairs() -> None:
    points = np.array([[0.0], [1.0], [10.0], [11.0]])  # a = 1; b = 10.5 for the outer, 9.5 for the inner points
    expected = ((10.5 - 1) / 10.5 + (9.5 - 1) / 9.5) / 2
    assert silhouette(points, np.array([0, 0, 1, 1]), 0) == pytest.approx(expected)
    assert silhouette(points, np.zeros(4, np.int64), 0) == 0


def test_depth_is_half_between_the_centres_and_whole_at_the_second() -> None:
    centres = np.array([[0.0, 0.0], [4.0, 0.0]])
    points = np.array([[0.0, 0.0], [2.0, 5.0], [4.0, 0.0], [1.0, 0.0]])
    assert depth(points, centres) == pytest.approx([0, 0.5, 1, 0.25])


@pytest.mark.parametrize("how", ["ica", "pca"])
def test_a_projection_finds_a_direction_that_splits_and_puts_others_in_the_same_place(how: str) -> None:
    rng = np.random.default_rng(0)
    activations = rng.normal(size=(200, 30)).astype(np.float32)
    activations[:, 29] = 0  # a dead feature
    activations[:40, 3] += 12
    projection = project(activations, 5, how, 0)  # type: ignore[arg-type]
    clusters, _ = split(projection.points, 0)
    assert clusters.tolist() == [1] * 40 + [0] * 160
    np.testing.assert_allclose(projection.apply(activations[:7]), projection.points[:7])


def test_too_few_samples_for_the_components() -> None:
    with pytest.raises(ValueError, match="at least 11 samples for 10 components, got 10"):
        project(np.zeros((10, 4), np.float32), 10, "ica", 0)


def test_activations_that_never_change_have_one_component_of_nothing() -> None:
    projection = project(np.ones((12, 4), np.float32), 10, "ica", 0)
    assert not projection.points.any()
    assert projection.apply(np.ones((3, 4), np.float32)).shape == (3, 1)
