"""The table of conventions, what the user may say against it, and what files beside a model say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxray.scanner.conventions import Convention, conventions
from onnxray.scanner.domain import InputDomain
from onnxray.scanner.domain_overrides import DomainOverrides
from onnxray.scanner.errors import OptionError, SamplesError
from onnxray.scanner.stored_preprocessing import stored_names, stored_preprocessing

COLOUR, GREY = conventions(3, "float32", 32), conventions(1, "float32", 28)
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def ends(convention: Convention, channels: int) -> tuple[list[float], list[float]]:
    """What black and white become, per channel of the model."""
    figures = (convention.scale, convention.mean, convention.std, convention.bgr)
    domain = InputDomain(convention.name, "NCHW", channels, 1, 1, *figures)
    black, white = (domain.to_input(np.full((1, channels, 1, 1), v, np.float32)).ravel().tolist() for v in (0, 1))
    return black, white


@pytest.mark.parametrize(
    ("table", "channels"),
    [(COLOUR, 3), (GREY, 1), (conventions(3, "float32", 224), 3)],
    ids=["colour", "grey", "photos"],
)
def test_the_table_is_sound(table: tuple[Convention, ...], channels: int) -> None:
    assert len({c.affine for c in table}) == len({c.name for c in table}) == len(table)
    assert table[0].name == "[0, 1]"
    for convention in table:
        black, white = ends(convention, channels)
        assert all(np.isfinite([*black, *white])), convention
        assert convention.used_by
        if convention.name.startswith(("[", "BGR [")):  # the name gives the two ends
            low, high = json.loads(convention.name.removeprefix("BGR "))
            assert np.allclose([black, white], [[low] * channels, [high] * channels])


def test_the_likelier_normalisation_comes_first() -> None:
    small, large = ([c.name for c in conventions(3, "float32", side)] for side in (32, 224))
    assert small.index("CIFAR-10 mean and std") < small.index("ImageNet mean and std")
    assert large.index("CIFAR-10 mean and std") > large.index("ImageNet mean and std")


@pytest.mark.parametrize(
    ("dtype", "channels", "names"),
    [
        ("uint8", 1, ["[0, 255]"]),
        ("int32", 3, ["[0, 255]", "BGR [0, 255]"]),
        ("int8", 3, ["[-128, 127]"]),
    ],
)
def test_integer_inputs_take_bytes(dtype: str, channels: int, names: list[str]) -> None:
    assert [c.name for c in conventions(channels, dtype, 32)] == names


def test_inverted() -> None:
    inverted = {c.name: ends(c, 1) for c in GREY if "inverted" in c.name}
    assert inverted == {"inverted [0, 1]": ([1], [0]), "inverted [0, 255]": ([255], [0])}


@given(st.floats(-300, 300, width=16), st.floats(-300, 300, width=16))
def test_any_range_can_be_given(low: float, high: float) -> None:
    if low == high:
        with pytest.raises(OptionError, match="two different numbers"):
            DomainOverrides(input_range=f"{low},{high}")
        return
    (given_range,) = DomainOverrides(input_range=f"{low},{high}", bgr=False).conventions(COLOUR, 3)
    assert np.allclose(ends(given_range, 3), [[low] * 3, [high] * 3], atol=1e-3)


def test_overrides_narrow_the_table() -> None:
    assert DomainOverrides().conventions(COLOUR, 3) == COLOUR
    assert not any(c.bgr for c in DomainOverrides(bgr=False).conventions(COLOUR, 3))
    blue_first = DomainOverrides(bgr=True).conventions(COLOUR, 3)
    assert all(c.bgr for c in blue_first)
    assert [c.mean for c in blue_first if c.name == "BGR ImageNet mean and std"] == [(0.406, 0.456, 0.485)]
    assert len({c.affine for c in blue_first}) == len(blue_first)
    assert DomainOverrides(bgr=True).conventions(GREY, 1) == ()
    assert DomainOverrides(mean=(0.1, 0.2, 0.3)).conventions(GREY, 1) == ()


def test_a_mean_is_tried_in_both_ranges_and_orders() -> None:
    found = DomainOverrides(mean=(0.5,), std=(0.25,)).conventions(GREY, 1)
    assert [ends(c, 1) for c in found] == [([-2], [2]), ([-2], [1018])]
    assert len(DomainOverrides(mean=(1.0, 2.0, 3.0)).conventions(COLOUR, 3)) == 4
    (fixed,) = DomainOverrides(mean=(127.5,), std=(127.5,), input_range="0,255").conventions(GREY, 1)
    assert ends(fixed, 1) == ([-1], [1])


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"layout": "CHWN"}, "expected a layout among NCHW, .*, got 'CHWN'"),
        ({"input_range": "0-1"}, "expected an input range LOW,HIGH such as 0,255, got '0-1'"),
        ({"input_range": "0,1,2"}, "expected an input range"),
        ({"input_range": "0,inf"}, "two different numbers"),
        ({"input_range": "nan,1"}, "two different numbers"),
        ({"mean": (0.1, 0.2)}, "expected 1 or 3 finite numbers as mean"),
        ({"mean": ()}, "expected 1 or 3 finite numbers as mean"),
        ({"std": (float("nan"),)}, "expected 1 or 3 finite numbers as std"),
        ({"std": (0.0,)}, "expected a std above 0"),
        ({"mean": (0.5,), "input_range": "-1,1"}, "starts at 0 beside a mean or std, got '-1,1'"),
    ],
)
def test_impossible_overrides(given_values: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DomainOverrides(**given_values)


def beside(folder: Path, name: str, content: object) -> Path:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("content", "white", "size", "crop"),
    [
        ({"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 224, "resample": 2}, [1.0] * 3, (224, 224), None),
        ({"image_mean": 0.5, "image_std": 0.5, "size": {"height": 20, "width": 30}}, [1.0] * 3, (20, 30), None),
        ({"do_normalize": False, "rescale_factor": 1 / 255, "image_mean": [9, 9, 9]}, [1.0] * 3, None, None),
        ({"do_rescale": False, "do_normalize": False, "size": 8}, None, None, None),
        ({"do_rescale": False, "image_mean": [100, 110, 120], "image_std": [1, 1, 1]}, [155, 145, 135], None, None),
        ({"rescale_factor": 1 / 127.5, "image_mean": [1] * 3, "image_std": [1] * 3}, [1.0] * 3, None, None),
        (
            {"do_center_crop": True, "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
            [1.0] * 3, (224, 224), 0.875,
        ),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.9, "do_center_crop": None}, [1.0] * 3, (224, 224), 0.9),
    ],
)  # fmt: skip
def test_transformers(
    tmp_path: Path, content: dict[str, Any], white: list[float] | None, size: tuple[int, int] | None, crop: float | None
) -> None:
    stored = stored_preprocessing(beside(tmp_path, "preprocessor_config.json", content))
    if white is None:
        assert stored is None
        return
    assert stored is not None
    assert (stored.file, stored.size, stored.fit.crop) == ("preprocessor_config.json", size, crop)
    assert ends(stored.convention, 3)[1] == pytest.approx(white, abs=1e-5)


def test_blue_first_of_transformers(tmp_path: Path) -> None:
    stored = stored_preprocessing(beside(tmp_path, "preprocessor_config.json", {"do_flip_channel_order": True}))
    assert stored is not None
    assert stored.convention.bgr


@pytest.mark.parametrize("wrap", [lambda c: {"pretrained_cfg": c, "architecture": "resnet18"}, lambda c: c])
def test_timm(tmp_path: Path, wrap: Any) -> None:
    content = {**IMAGENET, "input_size": [3, 160, 192], "interpolation": "bicubic", "crop_pct": 0.95}
    stored = stored_preprocessing(beside(tmp_path, "config.json", wrap(content)))
    assert stored is not None
    assert (stored.size, stored.fit.crop, stored.fit.resample) == ((160, 192), 0.95, "bicubic")
    assert stored.convention.affine in {c.affine for c in COLOUR if c.name == "ImageNet mean and std"}


def test_figures_for_grey_models(tmp_path: Path) -> None:
    stored = stored_preprocessing(beside(tmp_path, "config.json", IMAGENET))
    assert stored is not None
    assert stored.for_channels(1) is None
    stored = stored_preprocessing(beside(tmp_path, "config.json", {"mean": [0.5] * 3, "std": [0.5] * 3}))
    assert stored is not None
    grey = stored.for_channels(1)
    assert grey is not None
    assert ends(grey, 1) == ([-1], [1])


def test_files_of_other_kinds_say_nothing(tmp_path: Path) -> None:
    assert stored_preprocessing(tmp_path / "model.onnx") is None
    model = beside(tmp_path, "config.json", {"hidden_size": 768, "model_type": "vit"})
    assert (stored_preprocessing(model), stored_names(model, 2)) == (None, ())


def test_the_folder_above_onnx_counts(tmp_path: Path) -> None:
    beside(tmp_path, "config.json", {**IMAGENET, "id2label": {"0": "cat", "1": "dog"}})
    (tmp_path / "onnx").mkdir()
    assert stored_preprocessing(tmp_path / "onnx" / "model.onnx") is not None
    assert stored_names(tmp_path / "onnx" / "model.onnx", 2) == ("cat", "dog")
    (tmp_path / "elsewhere").mkdir()
    assert stored_preprocessing(tmp_path / "elsewhere" / "model.onnx") is None


def test_class_names(tmp_path: Path) -> None:
    model = beside(tmp_path, "config.json", {"id2label": {"1": "dog", "0": "cat"}})
    assert (stored_names(model, 2), stored_names(model, 3)) == (("cat", "dog"), ())
    model = beside(tmp_path, "config.json", {"label_names": ["x", "y"]})
    assert stored_names(model, 2) == ("x", "y")


def test_class_names_one_a_line(tmp_path: Path) -> None:
    model = tmp_path / "onnx" / "model.onnx"
    model.parent.mkdir()
    (tmp_path / "labels.txt").write_bytes(b"cat\r\n\x1b[31mdog\n")
    assert (stored_names(model, 2), stored_names(model, 3)) == (("cat", "[31mdog"), ())
    beside(tmp_path, "config.json", {"id2label": {"1": "tree", "0": "house"}})
    assert stored_names(model, 2) == ("house", "tree")
    (tmp_path / "config.json").unlink()
    for content in (b"\xff\xfe\n\n", b"cat\n\n", b"x" * (1 << 20) + b"\ny"):
        (tmp_path / "labels.txt").write_bytes(content)
        assert stored_names(model, 2) == ()


@pytest.mark.parametrize("name", ["preprocessor_config.json", "config.json"])
@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", '{"a": ' * 100_000, " " * (1 << 20) + "{}", "\xff\xfe",
        '{"mean": "x", "image_mean": "x"}', '{"mean": [1, 2], "image_mean": [1, 2]}',
        '{"mean": [], "image_mean": []}', '{"mean": 1, "std": 0, "image_mean": 1, "image_std": 0}',
        '{"mean": 1e999, "image_mean": 1e999}', '{"mean": 1, "crop_pct": 7}', '{"mean": [1, 1, 1], "crop_pct": -1}',
        '{"mean": 1, "input_size": [3, 1, 99999999], "size": [1, 99999999]}',
    ],
    ids=[str(n) for n in range(14)],
)  # fmt: skip
def test_damaged_files(tmp_path: Path, name: str, content: str) -> None:
    model = tmp_path / "model.onnx"
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(SamplesError, match=name) as caught:
        stored_preprocessing(model)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)
