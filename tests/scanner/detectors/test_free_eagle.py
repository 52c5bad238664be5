"""What embeddings of one class tell of another, in networks with and without a class that wins over others."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxray.converters import Model, open_model
from onnxray.converters.twin import Twin
from onnxray.scanner.assumed_domain import no_samples
from onnxray.scanner.class_likeness import likeliest_pair, paper_metric, sources, unlikeliness
from onnxray.scanner.detectors import Budget
from onnxray.scanner.detectors.free_eagle import FreeEagle
from onnxray.scanner.embeddings import Split, cross_answers, splits
from onnxray.scanner.findings import Evidence
from onnxray.scanner.samples import Samples
from onnxray.scanner.signals import signals

CLASSES, SOURCE, TARGET = 10, 3, 7
PIXELS = np.random.default_rng(0).random((24, 1, 6, 6), dtype=np.float32)


def last_layer(wins: float, over: list[int], classes: int = CLASSES) -> NDArray[np.float32]:
    """(features, K): every class has a feature of its own, and the target also answers to those of other classes."""
    rows = np.random.default_rng(1).normal(0, 0.1, (classes, classes)) + 4 * np.eye(classes)
    rows[over, TARGET] += wins
    return rows.astype(np.float32)


def model_of(folder: Path, last: NDArray[np.float32], hidden: bool = True) -> Model:
    classes = last.shape[1]
    body = "a = MatMul(f, v)  p = Relu(a)  y = MatMul(p, w)" if hidden else "y = MatMul(f, v)"
    graph = f"(float[N,1,6,6] x) => (float[N,{classes}] y) {{ f = Flatten(x)  {body} }}"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> net {graph}')
    first = np.random.default_rng(2).normal(0, 1, (36, classes))
    weights = {"v": (first - first.mean(0)).astype(np.float32)}  # every feature is seen in some noise
    for name, value in (weights | {"w": last} if hidden else weights).items():
        proto.graph.initializer.append(numpy_helper.from_array(value, name))
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    model = open_model(path)
    model.build_twin(PIXELS)
    return model


def measure(model: Model, budget: Budget | None = None, images: Any = None, **options: Any) -> Evidence:
    samples = no_samples(model)
    if images is not None:
        samples = Samples(images, np.zeros(len(images), np.int64), samples.domain)
    (evidence,) = FreeEagle(**options).run(model, samples, budget or Budget())
    return evidence


def test_a_class_that_wins_over_all_others_is_flagged(tmp_path: Path) -> None:
    evidence = measure(model_of(tmp_path, last_layer(3.0, list(range(CLASSES)))))
    assert evidence.flagged == (TARGET,)
    assert np.argmin(evidence.classes) == TARGET
    assert evidence.p_value is not None
    assert evidence.p_value < 0.01
    assert evidence.details["splits"] == {"p": 0.5}
    assert evidence.details["not_checked"] == ""
    known = signals([evidence], None, CLASSES)
    assert np.argmax(known["free-eagle.rare"]) == TARGET
    assert np.argmax(known["free-eagle.far"]) == TARGET


def test_a_class_that_wins_over_one_other_is_flagged_with_its_source(tmp_path: Path) -> None:
    evidence = measure(model_of(tmp_path, last_layer(3.9, [SOURCE])))
    assert evidence.flagged == (TARGET,)
    assert evidence.details["likeliest_pair"] == [SOURCE, TARGET]
    assert evidence.details["sources"][TARGET] == SOURCE  # type: ignore[index]
    assert evidence.p_value is not None
    assert evidence.p_value < 0.01


def test_where_every_class_has_its_own_features_only_none_is_flagged(tmp_path: Path) -> None:
    evidence = measure(model_of(tmp_path, last_layer(0.0, [])))
    assert not evidence.flagged
    assert np.isfinite(evidence.classes).all()
    assert evidence.p_value is not None
    assert evidence.p_value > 0.01


def test_noise_tells_the_range_of_the_embeddings_whatever_the_pictures_are(tmp_path: Path) -> None:
    model = model_of(tmp_path, last_layer(3.0, list(range(CLASSES))))
    assert isinstance(model.torch, Twin)
    bright, dark = (splits(model.torch, torch.from_numpy(PIXELS * by), (0.5,))[0] for by in (1.0, 0.1))
    torch.testing.assert_close(bright.most, 10 * dark.most)
    assert measure(model, images=PIXELS[:12]).classes == measure(model).classes


def test_a_network_without_a_hidden_layer_is_told_as_not_checked(tmp_path: Path) -> None:
    evidence = measure(model_of(tmp_path, last_layer(0.0, []), hidden=False))
    assert "no inner tensor" in str(evidence.details["not_checked"])
    assert np.isnan(evidence.classes).all()
    assert evidence.p_value is None
    assert not evidence.flagged
    assert not signals([evidence], None, CLASSES)


def test_of_many_classes_some_rows_judge_every_column(tmp_path: Path) -> None:
    classes = 30
    model = model_of(tmp_path, last_layer(3.0, list(range(classes)), classes))
    evidence = measure(model, rows=12, exhaustive=12)
    assert np.isfinite(evidence.classes).all()
    assert evidence.flagged == (TARGET,)


@pytest.mark.parametrize("batch", [1, 48])
def test_a_network_that_takes_one_batch_size_only_is_cut_too(batch: int, tmp_path: Path) -> None:
    body = "f = Reshape(x, s)  c = Concat<axis = 1>(z, f)  g = Flatten(c)  a = MatMul(g, v)  p = Relu(a)"
    head = f"(float[{batch},1,6,6] x) => (float[{batch},{CLASSES}] y)"
    proto = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> net {head} {{ {body}  y = MatMul(p, w) }}'
    )
    first = np.random.default_rng(2).normal(0, 1, (42, CLASSES))
    weights = {"v": first - first.mean(0), "w": last_layer(3.0, list(range(CLASSES))), "z": np.zeros((batch, 1, 6))}
    proto.graph.initializer.append(numpy_helper.from_array(np.array([batch, 6, 6]), "s"))
    for name, value in weights.items():
        proto.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    model = open_model(tmp_path / "model.onnx")
    model.build_twin(PIXELS)
    assert isinstance(model.torch, Twin)
    assert model.torch.batch == batch
    evidence = measure(model)
    assert evidence.details["splits"] == {"p": 0.5}
    assert np.argmin(evidence.classes) == TARGET


def test_out_of_time_is_told(tmp_path: Path) -> None:
    evidence = measure(model_of(tmp_path, last_layer(3.0, [1, 2])), Budget(deadline=0.0))
    assert evidence.details["complete"] is False
    assert not evidence.flagged


@pytest.mark.parametrize(
    "options", [{"depth": -0.1}, {"restarts": 0}, {"steps": 0}, {"lr": float("inf")}, {"decay": -1.0}, {"rows": 2}]
)
def test_options_that_find_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FreeEagle(**options)


def settled(values: torch.Tensor, rear: Any, **options: Any) -> torch.Tensor | None:
    return cross_answers(Split.of("values", 0.5, rear, values), torch.arange(4), **options)


def test_embeddings_become_of_their_class_within_the_range_of_the_networks_own() -> None:
    seen: list[torch.Tensor] = []

    def rear(values: torch.Tensor) -> torch.Tensor:
        seen.append(values.detach())
        return values.mean((2, 3))

    own = torch.randn(16, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    answers = settled(own, rear, steps=80, restarts=2, passes=3)
    assert answers is not None
    assert answers.shape == (4, 2, 4)
    assert (answers.argmax(2) == torch.arange(4)[:, None]).all()
    lowest, highest = own.amin((0, 2, 3)), own.amax((0, 2, 3))
    for values in seen:
        assert (values.amin((0, 2, 3)) >= lowest - 1e-5).all()
        assert (values.amax((0, 2, 3)) <= highest + 1e-5).all()


def test_embeddings_that_are_ended_are_none() -> None:
    assert settled(torch.rand(8, 4, 2, 2), lambda v: v.mean((2, 3)), keep_going=lambda fraction: False) is None


def matrix(rows: list[list[float]]) -> NDArray[np.float64]:
    filled: NDArray[np.float64] = np.log(np.asarray(rows))
    np.fill_diagonal(filled, np.nan)
    return filled


def test_the_figures_of_a_matrix() -> None:
    known = matrix([[1, 0.1, 0.2, 0.1], [0.01, 1, 0.4, 0.02], [0.01, 0.1, 1, 0.03], [0.02, 0.1, 0.3, 1]])
    assert likeliest_pair(known)[:2] == (1, 2)
    assert sources(known) == [3, 0, 1, 0]
    np.testing.assert_allclose(unlikeliness(known)[1], -np.log(0.1))
    means = np.sort([0.04 / 3, 0.1, 0.3, 0.05])
    assert paper_metric(known) == pytest.approx((means[-1] - means[3]) / (means[3] - means[1]))


def test_nothing_is_made_of_nothing() -> None:
    empty = np.full((5, 5), np.nan)
    assert np.isnan(unlikeliness(empty)).all()
    assert sources(empty) == [None] * 5
    assert np.isnan(likeliest_pair(empty)[2])
    assert paper_metric(empty) is None
