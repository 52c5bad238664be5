from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto
from onnxray.converters import ModelError, open_model

X = np.random.default_rng(1).random((5, 1, 4, 4), dtype=np.float32)


def outsource(path: Path, location: str, entries: dict[str, str] | None = None, data: Path | None = None) -> Path:
    """Move the weights of a model into `data` (the file at `location` by default) and point to `location`."""
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.raw_data:
            (data or path.parent / location).write_bytes(tensor.raw_data)
            tensor.ClearField("raw_data")
        point(tensor, location, entries or {})
    return save(model, path)


def point(tensor: TensorProto, location: str, entries: dict[str, str]) -> None:
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)


def save(model: ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_model_give_the_same_scores_and_count_in_its_identity(linear: Path) -> None:
    inside = open_model(linear)
    expected = inside.run(X)
    model = open_model(outsource(linear, "weights.bin"))
    np.testing.assert_array_equal(model.run(X), expected)
    assert model.facts.size_bytes == linear.stat().st_size + (linear.parent / "weights.bin").stat().st_size
    (linear.parent / "weights.bin").write_bytes(np.ones(48, np.float32).tobytes())
    assert len({inside.facts.sha256, model.facts.sha256, open_model(linear).facts.sha256}) == 3


def test_offset_and_length(linear: Path) -> None:
    expected = open_model(linear).run(X)
    outsource(linear, "weights.bin", {"offset": "64", "length": str(48 * 4)})
    data = linear.parent / "weights.bin"
    data.write_bytes(bytes(64) + data.read_bytes() + bytes(9))
    np.testing.assert_array_equal(open_model(linear).run(X), expected)


@pytest.mark.parametrize(
    "location",
    ["../secret.bin", "/etc/hostname", "a/../../secret.bin", "..\\secret.bin", "C:\\secret.bin", "", "a\0b", "."],
)
def test_locations_outside_the_folder_are_refused(linear: Path, location: str) -> None:
    (linear.parent.parent / "secret.bin").write_bytes(bytes(48 * 4))
    path = outsource(linear, location, data=linear.parent / "weights.bin")
    with pytest.raises(ModelError, match=r"tensor 'w' keeps its data in .*, expected a (relative path|regular file)"):
        open_model(path)


def test_a_link_out_of_the_folder_is_refused(linear: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.bin"
    path = outsource(linear, "weights.bin", data=secret)
    (linear.parent / "weights.bin").symlink_to(secret)
    with pytest.raises(ModelError, match="link to a file outside"):
        open_model(path)


def test_a_file_with_a_second_name_is_refused(linear: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.bin"
    path = outsource(linear, "weights.bin", data=secret)
    (linear.parent / "weights.bin").hardlink_to(secret)
    with pytest.raises(ModelError, match="2 names"):
        open_model(path)
    secret.unlink()
    open_model(path)


def test_the_link_store_of_a_hugging_face_cache_is_accepted(linear: Path) -> None:
    expected = open_model(linear).run(X)
    revision, blobs = linear.parent / "models--a--b" / "snapshots" / "abc", linear.parent / "models--a--b" / "blobs"
    revision.mkdir(parents=True)
    blobs.mkdir()
    outsource(linear, "model.onnx_data", data=blobs / "2222")
    linear.rename(blobs / "1111")
    (revision / "model.onnx").symlink_to("../../blobs/1111")
    (revision / "model.onnx_data").symlink_to("../../blobs/2222")
    np.testing.assert_array_equal(open_model(revision / "model.onnx").run(X), expected)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"offset": "8"}, "does not fit its declared shape"),
        ({"offset": "8", "length": "192"}, "bytes 8 to 200, but it has 192"),
        ({"offset": "-8", "length": "192"}, "bytes -8 to 184"),
        ({"length": "many"}, "whole numbers"),
    ],
)
def test_ranges_that_the_file_does_not_have(linear: Path, entries: dict[str, str], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        open_model(outsource(linear, "weights.bin", entries))


def test_a_missing_file_is_named(linear: Path) -> None:
    path = outsource(linear, "weights.bin")
    (linear.parent / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"tensor 'w' keeps its data in 'weights\.bin', which does not exist"):
        open_model(path)


def test_the_size_limit_counts_external_data(linear: Path) -> None:
    path = outsource(linear, "weights.bin")
    with pytest.raises(ModelError, match="192 bytes, over the size limit"):
        open_model(path, max_bytes=path.stat().st_size + 191)


def test_data_of_a_constant_inside_a_subgraph_is_checked_too(build: Callable[..., Path]) -> None:
    path = build(
        """(float[N,4] x) => (float[N,4] y) {
            yes = Constant <value = bool {1}> ()
            y = If (yes) <
                then_branch = a () => (float[N,4] p) { k = Constant <value = float[1] {1.0}> ()  p = Add(x, k) },
                else_branch = b () => (float[N,4] q) { q = Identity(x) }
            >
        }"""
    )
    model = onnx.load(path)
    constant = model.graph.node[1].attribute[0].g.node[0].attribute[0].t
    constant.ClearField("float_data")
    point(constant, "../secret.bin", {})
    with pytest.raises(ModelError, match="expected a relative path"):
        open_model(save(model, path))
