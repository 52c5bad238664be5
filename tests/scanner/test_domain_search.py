"""The search on models whose answers depend on the right convention, and on third-party models where they are there."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnxray.converters import Model
from onnxray.scanner.conventions import Convention, conventions
from onnxray.scanner.domain import DomainChoice, InputDomain
from onnxray.scanner.domain_search import DomainOverrides, find_domain
from onnxray.scanner.errors import ModelError, OptionError, SamplesError
from onnxray.scanner.images import ImageSet, load_images
from onnxray.scanner.samples import Samples

SHARED = Path(__file__).parents[3] / "shared"
CLASSES, SIDE = 40, 8
SHAPES: dict[str, Callable[[int, int, int], tuple[int | None, ...]]] = {
    "NCHW": lambda c, h, w: (None, c, h, w),
    "NHWC": lambda c, h, w: (None, h, w, c),
    "NHW": lambda c, h, w: (None, h, w),
    "flat": lambda c, h, w: (None, c * h * w),
    "flat HWC": lambda c, h, w: (None, c * h * w),
    "flat1": lambda c, h, w: (None, c * h * w, 1),
    "flat1 HWC": lambda c, h, w: (None, c * h * w, 1),
}


@dataclass
class Nearest:
    """A classifier that names the prototype nearest to its input, and so is right only in its own input domain."""

    domain: InputDomain
    prototypes: NDArray[np.float32]
    path: str = "nearest.onnx"
    shape: tuple[int | None, ...] = ()
    dtype: str = "float32"
    probabilities: bool = False
    seen: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        d = self.domain
        self.shape = self.shape or SHAPES[d.layout](d.channels, d.height, d.width)
        self.wanted = d.to_input(self.prototypes)
        self.classes = len(self.prototypes)
        self.facts = SimpleNamespace(path=self.path, input=SimpleNamespace(shape=self.shape, dtype=self.dtype))

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.append(len(inputs))
        if inputs.shape[1:] != self.wanted.shape[1:]:
            raise ModelError(f"{self.path}: expected {self.wanted.shape[1:]}, got {inputs.shape[1:]}")
        x, p = (a.reshape(len(a), -1).astype(np.float64) for a in (inputs, self.wanted))
        logits: NDArray[np.float64] = -(((x[:, None] - p) / np.ptp(p)) ** 2).sum(axis=2)
        if self.probabilities:
            logits = np.exp(logits - logits.max(axis=1, keepdims=True))
            logits /= logits.sum(axis=1, keepdims=True)
        return np.asarray(logits, dtype=np.float32)


def prototypes(channels: int, seed: int = 0, classes: int = CLASSES) -> NDArray[np.float32]:
    """Flat colours under a common gradient, so that range, mean, channel order and axes all matter."""
    rng = np.random.default_rng(seed)
    gradient = np.linspace(0.5, 1, SIDE * SIDE).reshape(SIDE, SIDE) ** np.arange(1, channels + 1)[:, None, None]
    levels = np.linspace(0, 1, classes)[:, None] if channels == 1 else rng.random((classes, channels))
    return (levels[..., None, None] * gradient).astype(np.float32)


def image_set(protos: NDArray[np.float32], per_class: int = 5, seed: int = 1, **changes: Any) -> ImageSet:
    labels = np.repeat(np.arange(len(protos)), per_class)
    noise = np.random.default_rng(seed).normal(scale=0.01, size=(len(labels), *protos.shape[1:]))
    pixels = ((protos[labels] + noise).clip(0, 1) * 255).round().astype(np.uint8)
    images = tuple(pixels[:, 0] if pixels.shape[1] == 1 else pixels.transpose(0, 2, 3, 1))
    return replace(ImageSet(images, labels, source="set"), **changes)


def domain_of(convention: Convention, layout: str = "NCHW", channels: int = 3) -> InputDomain:
    figures = (convention.scale, convention.mean, convention.std, convention.bgr)
    return InputDomain(convention.name, layout, channels, SIDE, SIDE, *figures)


def search(model: Nearest, images: ImageSet, **overrides: Any) -> tuple[DomainChoice, Samples]:
    return find_domain(cast("Model", model), images, DomainOverrides(**overrides))


def by_name(name: str, channels: int = 3) -> Convention:
    return next(c for c in conventions(channels, "float32", SIDE) if c.name == name)


@pytest.mark.parametrize("probabilities", [False, True], ids=["logits", "probabilities"])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_convention_is_found(channels: int, probabilities: bool) -> None:
    protos = prototypes(channels)
    images = image_set(protos)
    for convention in conventions(channels, "float32", SIDE):
        wanted = domain_of(convention, channels=channels)
        choice, samples = search(Nearest(wanted, protos, probabilities=probabilities), images)
        assert choice.accuracy.value > 0.97
        assert choice.accuracy.trials == 200
        assert choice.beats_chance
        gap = np.abs(samples.inputs() - wanted.to_input(samples.images)).max() / np.ptp(wanted.to_input(samples.images))
        assert gap < 0.06, (choice.domain.name, convention.name)  # the dataset figures are close to each other
        assert choice.tried[0] == (choice.domain.name, choice.accuracy.value)


@pytest.mark.parametrize("layout", SHAPES)
def test_each_layout_is_found(layout: str) -> None:
    channels = 1 if layout == "NHW" else 3
    protos = prototypes(channels)
    wanted = domain_of(by_name("[-1, 1]", channels), layout, channels)
    choice, samples = search(Nearest(wanted, protos), image_set(protos))
    assert choice.domain.layout == layout
    assert choice.domain.name.startswith("[-1, 1]")
    assert np.array_equal(samples.inputs(), wanted.to_input(samples.images))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_open_axes_take_the_layout_that_runs(layout: str) -> None:
    protos = prototypes(3)
    model = Nearest(domain_of(by_name("[0, 255]"), layout), protos, shape=(None, None, None, None))
    choice, _ = search(model, image_set(protos))
    assert (choice.domain.layout, choice.accuracy.value) == (layout, 1)
    assert choice.domain.name == f"[0, 255], {layout}"


def test_a_model_that_never_runs_says_why() -> None:
    protos = prototypes(3)
    with pytest.raises(ModelError, match=r"^nearest\.onnx: it runs on none of .* It says: expected \(3, 8, 8\), got"):
        search(Nearest(domain_of(by_name("[0, 1]")), protos, shape=(None, 3, 9, 9)), image_set(protos))


def test_integer_inputs_get_bytes() -> None:
    protos = prototypes(1)
    model = Nearest(domain_of(by_name("[0, 255]", 1), channels=1), protos, dtype="uint8")
    choice, samples = search(model, image_set(protos))
    assert choice.tried == (("[0, 255]", 1.0),)
    assert choice.margin == 0
    assert np.array_equal(samples.inputs(), np.rint(samples.inputs()))


def test_noise_is_not_a_domain() -> None:
    protos = prototypes(3)
    shuffled = image_set(protos)
    shuffled = replace(shuffled, labels=np.random.default_rng(3).permutation(shuffled.labels))
    choice, _ = search(Nearest(domain_of(by_name("[0, 1]")), protos), shuffled)
    assert not choice.beats_chance
    assert choice.chance == 0.025


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 10]), st.integers(5, 60))
@settings(max_examples=40, deadline=None)
def test_a_guessing_model_never_beats_chance(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    protos = prototypes(3, seed, classes)
    images = image_set(protos, per_class=count)
    labels = rng.permutation(images.labels)
    choice, _ = search(Nearest(domain_of(by_name("[0, 1]")), protos), replace(images, labels=labels))
    assert not choice.beats_chance


def test_ten_of_ten_are_enough() -> None:
    protos = prototypes(3, classes=10)
    choice, samples = search(Nearest(domain_of(by_name("[0, 1]")), protos), image_set(protos, per_class=1))
    assert (choice.accuracy.hits, choice.accuracy.trials, len(samples)) == (10, 10, 10)
    assert choice.beats_chance


def test_a_sure_model_is_not_pushed_to_a_wider_range() -> None:
    """Scaling a linear model's input changes no answer but lowers its loss; the commoner range must win."""

    class Linear(Nearest):
        def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            means = inputs.reshape(len(inputs), 2, -1).mean(axis=2)
            return np.asarray(10 * (means - means[:, ::-1]), dtype=np.float32)

    halves = np.zeros((2, 1, SIDE, SIDE), np.float32)
    halves[0, :, :4], halves[1, :, 4:] = 1, 1
    model = Linear(domain_of(by_name("[0, 1]", 1), channels=1), halves)
    choice, _ = search(model, image_set(halves, per_class=30))
    assert (choice.domain.name, choice.accuracy.value) == ("[0, 1]", 1)
    assert dict(choice.tried)["[0, 255]"] == 1


def test_scores_that_are_not_numbers_are_never_right() -> None:
    class Broken(Nearest):
        def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            logits = super().run(inputs)
            logits[::2, 0] = np.nan
            logits[1::2, 1] = -np.inf
            return logits

    protos = prototypes(1)
    choice, _ = search(Broken(domain_of(by_name("[0, 1]", 1), channels=1), protos), image_set(protos))
    assert 0.3 < choice.accuracy.value <= 0.5


def test_many_samples_are_tried_in_two_steps_and_all_returned() -> None:
    protos = prototypes(1)
    model = Nearest(domain_of(by_name("[0, 1]", 1), channels=1), protos)
    choice, samples = search(model, image_set(protos, per_class=10))
    assert (len(samples), choice.accuracy.trials) == (400, 200)
    assert sorted(set(model.seen)) == [64, 200]
    assert model.seen.count(200) < model.seen.count(64) == len(choice.tried)


def test_flags_decide() -> None:
    protos = prototypes(3)
    model = Nearest(domain_of(by_name("BGR [0, 255]"), "NHWC"), protos)
    images = image_set(protos)
    choice, _ = search(model, images, input_range="0,255", bgr=True, layout="NHWC")
    assert (choice.how, choice.accuracy.value, len(choice.tried)) == ("given", 1, 1)
    choice, _ = search(model, images, input_range="0,1", bgr=False)
    assert (choice.how, choice.beats_chance, choice.domain.name) == ("given", False, "[0, 1]")
    choice, _ = search(model, images, bgr=True)
    assert (choice.how, choice.domain.bgr, choice.accuracy.value) == ("found", True, 1)
    for wrong in ({"layout": "NCHW"}, {"layout": "flat"}):
        with pytest.raises(OptionError, match=r"nearest\.onnx: its input .* as NHWC of 3 channels, which contradicts"):
            search(model, images, **wrong)


def test_figures_in_the_wrong_number() -> None:
    protos = prototypes(1)
    model = Nearest(domain_of(by_name("[0, 1]", 1), channels=1), protos)
    for wrong in ({"mean": (0.1, 0.2, 0.3)}, {"bgr": True}):
        with pytest.raises(OptionError, match="contradicts"):
            search(model, image_set(protos), **wrong)


def test_labels_the_model_has_not() -> None:
    protos = prototypes(3, classes=10)
    images = image_set(prototypes(3, classes=13), source="data.npz")
    with pytest.raises(SamplesError, match=r"^data\.npz: label 12 but nearest\.onnx has 10 classes"):
        search(Nearest(domain_of(by_name("[0, 1]")), protos), images)


def stored(folder: Path, **content: Any) -> str:
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    return str(folder / "model.onnx")


def test_a_stored_convention_wins_ties(tmp_path: Path) -> None:
    protos = prototypes(3)
    figures = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.23, 0.22, 0.22]}
    path = stored(tmp_path, **figures)
    model = Nearest(domain_of(by_name("ImageNet mean and std")), protos, path=path)
    choice, _ = search(model, image_set(protos))
    assert choice.how == "preprocessor_config.json"
    assert choice.domain.mean == (0.48, 0.46, 0.41)
    assert any(name == "ImageNet mean and std" for name, _ in choice.tried[1:])


def test_a_stored_convention_that_is_wrong_is_told(tmp_path: Path) -> None:
    protos = prototypes(3)
    path = stored(tmp_path, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    choice, _ = search(Nearest(domain_of(by_name("[0, 255]")), protos, path=path), image_set(protos))
    assert choice.domain.name == "[0, 255]"
    assert choice.how.startswith("found, against preprocessor_config.json (accuracy ")
    assert "[-1, 1]" in choice.how


def test_class_names_come_from_beside_the_model(tmp_path: Path) -> None:
    names = [f"thing {i}" for i in range(CLASSES)]
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(names))}))
    protos = prototypes(1)
    model = Nearest(domain_of(by_name("[0, 1]", 1), channels=1), protos, path=str(tmp_path / "m.onnx"))
    assert search(model, image_set(protos))[1].class_names == tuple(names)
    other = tuple(f"other {i}" for i in range(CLASSES))
    assert search(model, image_set(protos, class_names=other))[1].class_names == other


def test_named_folders_are_renumbered_as_the_model_counts(tmp_path: Path) -> None:
    names = ["zebra", "ant", "cat", "bee"]
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(names))}))
    protos = prototypes(1, classes=4)
    model = Nearest(domain_of(by_name("[0, 1]", 1), channels=1), protos, path=str(tmp_path / "m.onnx"))
    images = image_set(protos, per_class=9)
    by_name_order = np.array([3, 0, 2, 1])[images.labels]  # Ant, bee, cat, zebra in a folder
    folder = replace(images, labels=by_name_order, class_names=("Ant", "bee", "cat", "zebra"), by_name=True)
    choice, samples = search(model, folder)
    assert (choice.accuracy.value, choice.numbering) == (1, "")
    assert np.array_equal(samples.labels, images.labels)
    assert samples.class_names == tuple(names)


def test_an_order_that_is_only_that_of_the_names_is_told() -> None:
    protos = prototypes(1, classes=5)
    model = Nearest(domain_of(by_name("[0, 1]", 1), channels=1), protos)
    images = image_set(protos, per_class=9, class_names=("ant", "bee", "cat", "dog", "eel"), by_name=True)
    told = "in the sorted order of their names: 0 ant, 1 bee, 2 cat, ... 4 eel"
    assert search(model, images)[0].numbering == told
    shuffled = replace(images, labels=np.random.default_rng(0).permutation(images.labels))
    choice, _ = search(model, shuffled)
    assert not choice.beats_chance
    assert told in choice.complaint
    assert search(model, replace(images, by_name=False))[0].numbering == ""


def test_labels_from_one_on_are_told_so() -> None:
    protos = prototypes(1)
    model = Nearest(domain_of(by_name("[0, 1]", 1), channels=1), protos)
    images = image_set(protos)
    with pytest.raises(SamplesError, match=r"numbered from 0 .*from 1: subtract 1"):
        search(model, replace(images, labels=images.labels + 1))
    with pytest.raises(SamplesError, match=r"numbered from 0$"):
        search(model, replace(images, labels=images.labels + 2))


def test_a_contradiction_is_told_in_the_words_of_the_flags() -> None:
    protos = prototypes(1)
    model = Nearest(domain_of(by_name("[0, 1]", 1), channels=1), protos)
    given_ = DomainOverrides(layout="NHWC", mean=(0.5, 1.0, 2.0), bgr=True)
    with pytest.raises(OptionError, match=r"contradicts --layout NHWC --mean 0\.5,1,2 --bgr; correct"):
        find_domain(cast(Model, model), image_set(protos), given_)


def test_larger_pictures_are_cropped_if_that_is_better() -> None:
    levels = np.linspace(0.1, 0.9, 10, dtype=np.float32)
    labels = np.repeat(np.arange(10), 10)
    pixels = levels[(labels + 2) % 10, None, None] * np.ones((100, 200, 200), np.float32)  # a misleading rim
    pixels[:, 10:190, 10:190] = levels[labels, None, None]
    model = Nearest(InputDomain("[0, 1]", "NCHW", 1, 64, 64), np.tile(levels[:, None, None, None], (1, 1, 64, 64)))
    choice, samples = search(model, ImageSet(tuple(pixels), labels))
    assert (choice.domain.name, choice.accuracy.value) == ("[0, 1], centre crop 0.875", 1)
    assert choice.tried[1][1] < 0.9
    assert samples.domain == choice.domain
    assert np.allclose(samples.images[:, 0, 0, 0], levels[labels])


REAL = {
    "labelled/coldchair_mnist_badnet_4to7.onnx": ("mnist", "NCHW", "[0, 1]"),
    "labelled/dillonsd_mnist_badnets_baseline.onnx": ("mnist", "NHWC", "[0, 1]"),
    "labelled/katiepreed_cifar10_clean_model.onnx": ("cifar10", "NCHW", "[0, 1]"),
    "catalog/FYH620__lenet-mnist-openvino__lenet.onnx": ("mnist", "NCHW", "MNIST mean and std"),
    "catalog/NeuralNetworkVerification__Marabou__resources__onnx__yizhak_net.onnx": ("mnist", "flat", "[-1, 1]"),
    "catalog/fisakhan__convert_model_x2y__models__mnist.onnx": ("mnist", "NHW", "[0, 1]"),
    "catalog/stanleybak__vnncomp2021__benchmarks__mnistfc__mnist-net_256x2.onnx": ("mnist", "flat1", "[0, 1]"),
    "catalog/stanleybak__vnncomp2021__benchmarks__marabou-cifar10__nets__cifar10_medium.onnx": (
        "cifar10", "NHWC", "[0, 1]",
    ),
}  # fmt: skip


@pytest.mark.skipif(not (SHARED / "suspects" / "manifest.json").is_file(), reason="third-party models are not here")
@pytest.mark.parametrize("file", REAL)
def test_third_party_models(file: str) -> None:
    from onnxray.converters import open_model

    data, layout, name = REAL[file]
    images = load_images(SHARED / "data" / f"{data}.npz", limit=200)
    choice, _ = find_domain(open_model(SHARED / "suspects" / file), images)
    assert (choice.domain.layout, choice.domain.name, choice.beats_chance) == (layout, name, True)
