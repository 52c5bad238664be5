"""The peers: each against numbers worked by hand, then on the bundled pair with presets of seconds."""

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxray.converters import Model, open_model
from onnxray.models.bench.peers import Peer, PeerResult, peers
from onnxray.models.bench.peers.__main__ import main
from onnxray.models.bench.peers._left_tail import smallest_stands_out
from onnxray.models.bench.peers.mm_bd import MaximumMargin, tail
from onnxray.models.bench.peers.neural_cleanse import NeuralCleanse
from onnxray.models.bench.peers.neuron_inspect import NeuronInspect
from onnxray.models.bundled_files import bundled
from onnxray.models.speed.peer_search import Loop, peer_search
from onnxray.scanner.assumed_domain import no_samples, noise
from onnxray.scanner.domain_search import find_domain
from onnxray.scanner.errors import OptionError, SamplesError
from onnxray.scanner.images import load_images
from onnxray.scanner.samples import Samples
from torch import Tensor

QUICK: dict[str, Peer] = {
    "mm-bd": MaximumMargin(starts=4, steps=40),
    "nc-paper": NeuralCleanse(preset="short", steps=30, batches=2),
    "neuron-inspect-spec": NeuronInspect(),
}
SHORTEST: dict[str, Peer] = {
    "mm-bd": MaximumMargin(starts=2, steps=2),
    "nc-paper": NeuralCleanse(steps=1, batches=1),
    "neuron-inspect-spec": NeuronInspect(),
}
Asked = tuple[Model, Samples]


def ask(file: Path, count: int) -> Asked:
    model = open_model(file)
    _, samples = find_domain(model, load_images(bundled("samples.npz"), limit=count, seed=0), seed=0)
    model.build_twin(samples.inputs())
    return model, samples


@pytest.fixture(scope="module")
def trojaned() -> Asked:
    return ask(bundled("trojaned.onnx"), 100)


@pytest.fixture(scope="module")
def clean() -> Asked:
    return ask(bundled("clean.onnx"), 100)


def saved(path: Path, nodes: list[onnx.NodeProto], weights: dict[str, NDArray[np.float32]], dtype: int) -> Path:
    shape = [None, 1, 3, 4] if dtype == TensorProto.FLOAT else [None, 6]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, len(weights["w"].T)])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def pixels(path: Path, strengths: list[float]) -> Model:
    """Class k's logit is its strength times pixel k: its largest margin over [0, 1] is its strength."""
    w = np.zeros((12, len(strengths)), np.float32)
    w[range(len(strengths)), range(len(strengths))] = strengths
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["scores"])]
    model = open_model(saved(path, nodes, {"w": w}, TensorProto.FLOAT))
    model.build_twin(noise(no_samples(model).domain))
    return model


# ---------------------------------------------------------------- the families


def test_peers_are_found_by_their_presence() -> None:
    assert list(peers()) == ["mm-bd", "nc-paper", "neuron-inspect-spec"]
    assert all(issubclass(kind, Peer) and kind().short() for kind in peers().values())
    assert {name: kind.needs_samples for name, kind in peers().items() if not kind.needs_samples} == {"mm-bd": 0}


@pytest.mark.parametrize("name", sorted(peers()))
def test_the_same_seed_gives_the_same_answer_and_the_order_of_calls_does_not_matter(name: str, clean: Asked) -> None:
    peer = SHORTEST[name]
    torch.manual_seed(1)
    model, samples = clean[0], clean[1].take(np.arange(20))
    first = peer.run(model, samples, seed=4)
    torch.manual_seed(2)
    again, other = peer.run(model, samples, seed=4), peer.run(model, samples, seed=5)
    assert replace(first, seconds=0) == replace(again, seconds=0)
    assert first.classes != other.classes
    assert len(first.classes) == 10


@pytest.mark.parametrize("name", sorted(peers()))
def test_a_classifier_of_sentences_is_refused(name: str, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["scores"]),
    ]
    weights = {"table": np.eye(8, dtype=np.float32), "w": np.ones((8, 2), np.float32)}
    model = open_model(saved(tmp_path / "text.onnx", nodes, weights, TensorProto.INT64))
    with pytest.raises(OptionError, match=r"text\.onnx: expected a classifier of pictures, got one of token ids"):
        QUICK[name].run(model, None, 0)


@pytest.mark.parametrize("name", ["nc-paper", "neuron-inspect-spec"])
def test_too_few_pictures_are_refused(name: str, clean: Asked) -> None:
    model, samples = clean
    with pytest.raises(SamplesError, match="expected 10 clean pictures or more, got 9"):
        QUICK[name].run(model, samples.take(np.arange(9)), 0)
    with pytest.raises(SamplesError, match="got 0"):
        QUICK[name].run(model, None, 0)


# ---------------------------------------------------------------- the rule of the left tail


def test_the_anomaly_index_is_that_of_neural_cleanses_readme() -> None:
    """Median 64.47, deviation 13.24 = 1.4826 * 8.93, smallest mask 16.12: index 3.652."""
    apart = 13.24 / 1.4826
    target, index = smallest_stands_out([64.47, 64.47 - apart, 16.12, 64.47 + apart, 90.0])
    assert target == 2
    assert index == pytest.approx(3.652, abs=5e-4)


def test_the_anomaly_index_where_it_means_nothing() -> None:
    target, index = smallest_stands_out([3.0, 8.0])  # of two classes: always this, so never flagged
    assert (target, round(index, 3)) == (0, 0.674)
    assert smallest_stands_out([5.0, 5.0, 5.0, 1.0]) == (3, 0.0)
    assert smallest_stands_out([float("nan")] * 3) == (None, 0.0)
    assert smallest_stands_out([float("nan"), 9.0, 10.0, 11.0, 2.0])[0] == 4


# ---------------------------------------------------------------- MM-BD


def test_the_largest_margins_of_a_linear_model_are_those_worked_by_hand(tmp_path: Path) -> None:
    strengths = [8.0, 9.0, 10.0, 8.5, 9.5, 25.0, 8.8, 9.9]
    model = pixels(tmp_path / "linear.onnx", strengths)
    said = MaximumMargin().run(model, None, 0)
    assert said.classes == pytest.approx(strengths, rel=0.02)
    assert (said.target, said.flagged) == (5, True)
    even = MaximumMargin().run(pixels(tmp_path / "even.onnx", [8.0, 9.0, 10.0, 8.5, 9.5, 10.5, 8.8, 9.9]), None, 0)
    assert not even.flagged
    assert even.score < -log(0.05) < said.score


def test_a_climb_that_has_come_to_its_end_is_not_gone_on_with(tmp_path: Path) -> None:
    model = pixels(tmp_path / "linear.onnx", [50.0, 60.0, 70.0, 80.0])
    assert MaximumMargin().run(model, None, 0).note.startswith("0 of 4 classes still climbing")
    assert MaximumMargin(steps=2).run(model, None, 0).note.startswith("4 of 4 classes still climbing")


def test_the_p_value_is_that_of_the_published_test() -> None:
    from scipy.stats import gamma

    margins = np.array([30.0, 34.0, 29.0, 44.0, 31.0, 36.0, 33.0, 28.0])
    fitted = gamma(*gamma.fit(np.delete(margins, 3)))
    surprise = tail(margins)
    assert surprise is not None
    assert np.exp(-surprise) == pytest.approx(1 - fitted.cdf(44.0) ** 8, rel=1e-6)


def test_margins_beyond_all_floats_are_still_told_apart() -> None:
    rest = [10.0, 11.0, 12.0, 10.5, 11.5, 9.5, 12.5]
    surprises = [tail(np.array([*rest, largest])) for largest in (20.0, 60.0, 2e3, 4e3)]
    assert all(value is not None and np.isfinite(value) for value in surprises)
    assert surprises == sorted(surprises, key=lambda v: v or 0)
    assert len(set(surprises)) == 4


def test_where_no_distribution_fits_there_is_no_answer() -> None:
    assert tail(np.array([4.0, 4.0, 4.0, 9.0])) is None or tail(np.array([4.0, 4.0, 4.0, 9.0])) == 0.0


def test_mm_bd_names_the_target_of_the_bundled_backdoor_without_a_picture(trojaned: Asked) -> None:
    said = QUICK["mm-bd"].run(trojaned[0], None, 0)
    assert said.target == 7
    assert said.flagged


# ---------------------------------------------------------------- Neural Cleanse


def corner(x: Tensor) -> Tensor:
    """Class 1 where the first pixel is bright, else class 0."""
    bright = 20 * (x.flatten(1)[:, :1] - 0.5)
    return torch.cat([-bright, bright], 1)


def test_the_loop_takes_as_many_steps_in_an_epoch_as_it_is_told() -> None:
    seen: list[int] = []

    def network(x: Tensor) -> Tensor:
        seen.append(len(x))
        return corner(x)

    images = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0)) / 4
    peer_search(network, images, 1, Loop(epochs=2, batch=8, updates=5))
    assert seen == [8, 8, 4, 8, 8] * 2
    seen.clear()
    peer_search(network, images, 1, Loop(epochs=2, batch=8))
    assert seen == [8, 8, 4] * 2


def test_a_class_without_a_trigger_ends_with_its_last_mask_only_where_that_is_asked_for() -> None:
    images = torch.zeros(12, 1, 4, 4)

    def stubborn(x: Tensor) -> Tensor:
        return torch.cat([x.flatten(1).sum(1, keepdim=True) * 0 + 9, x.flatten(1)[:, :1]], 1)

    assert peer_search(stubborn, images, 1, Loop(epochs=3)) is None
    last = peer_search(stubborn, images, 1, Loop(epochs=3, keep_last=True))
    assert last is not None
    assert last.success == 0


def test_the_paper_preset_is_the_authors_example() -> None:
    loop = NeuralCleanse()._loop()
    assert (loop.epochs, loop.batch, loop.updates, loop.lr, loop.initial_cost) == (1000, 32, 31, 0.1, 1e-3)
    assert (loop.asr, loop.multiplier, loop.patience, loop.early_stop_patience) == (0.99, 2, 5, 25)
    short = NeuralCleanse().short()
    assert replace(short._loop(), epochs=1000, updates=31) == loop
    assert short._loop().epochs < 1000


def test_neural_cleanse_finds_the_bundled_backdoor_smallest(trojaned: Asked) -> None:
    model, samples = trojaned
    said = QUICK["nc-paper"].run(model, samples.draw(16, 0), 0)
    assert said.target == 7
    assert said.classes[7] == min(said.classes) < np.median(said.classes) / 2
    assert "preset short: at most 30 steps of 2 batches of 16" in said.note


@pytest.mark.slow
def test_the_short_preset_tells_the_bundled_pair_apart(trojaned: Asked, clean: Asked) -> None:
    bad, good = (NeuralCleanse().short().run(*asked, 0) for asked in (trojaned, clean))
    assert (bad.target, bad.flagged, good.flagged) == (7, True, False)


# ---------------------------------------------------------------- NeuronInspect


def test_the_features_of_heatmaps_are_those_worked_by_hand() -> None:
    dot = torch.zeros(2, 5, 5)
    dot[:, 2, 2] = 1.0  # the Laplacian is -4 there and 1 at the four neighbours: 8 in all
    assert NeuronInspect().feature(dot) == pytest.approx(0.1 * 1 + 8)
    dot[1] = dot[1].roll(2, 1)  # on the border: only the neighbour inside has a Laplacian
    moved = 0.1 * 1 + 1  # torch's median of two is the smaller
    assert NeuronInspect().feature(dot) == pytest.approx(moved + 2)  # two pixels are on in one map each
    assert NeuronInspect(persistent=0.0).feature(dot) == pytest.approx(moved)


def test_a_chain_of_xors_counts_what_is_on_an_odd_number_of_times_fold_by_fold() -> None:
    maps = torch.zeros(6, 3, 3)
    maps[:3, 0, 0] = 1.0
    assert NeuronInspect(sparse=0, smooth=0, fold=2).feature(maps) == pytest.approx(1 / 3)  # off, on, off
    assert NeuronInspect(sparse=0, smooth=0, fold=0).feature(maps) == pytest.approx(1)


def test_neuron_inspect_names_the_target_of_the_bundled_backdoor(trojaned: Asked) -> None:
    """Of the clean twin nothing is said here: whether it is flagged depends on which pictures are drawn."""
    said = NeuronInspect().run(*trojaned, 0)
    assert (said.target, said.flagged) == (7, True)
    assert said.score == pytest.approx(smallest_stands_out(said.classes)[1])


# ---------------------------------------------------------------- the command


def test_the_command_says_what_a_peer_says() -> None:
    arguments = [bundled("trojaned.onnx"), "--pictures", bundled("samples.npz"), "--peer", "neuron-inspect-spec"]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("neuron-inspect-spec: flags class 7, score ")


def test_the_command_refuses_a_peer_that_there_is_not() -> None:
    done = CliRunner().invoke(main, [str(bundled("trojaned.onnx")), "--peer", "nc"])
    assert done.exit_code == 1
    assert "expected some of ['mm-bd', 'nc-paper', 'neuron-inspect-spec'], got 'nc'" in done.output


def test_a_result_has_a_statistic_for_every_class(trojaned: Asked) -> None:
    said = QUICK["neuron-inspect-spec"].run(*trojaned, 0)
    assert isinstance(said, PeerResult)
    assert said.seconds > 0
