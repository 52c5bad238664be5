"""The streaming hash of a file is the one that opening it gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxray.converters.errors import ModelError
from onnxray.converters.external_data import DataMissing
from onnxray.converters.identity import identity
from onnxray.converters.limits import NotDownloaded, TooLarge
from onnxray.converters.load import load

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"
Make = Callable[..., Path]


def weight(name: str, location: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.ones((4, 4), np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def model(folder: Path) -> Path:
    """Data in an attribute, which the file holds before the initializers, and twice in one file."""
    constant = helper.make_node("Constant", [], ["c"], value=weight("constant", "constant.bin"))
    nodes = [constant, helper.make_node("MatMul", ["x", "a"], ["y"]), helper.make_node("MatMul", ["y", "b"], ["z"]),
             helper.make_node("Add", ["z", "c"], ["w"]), helper.make_node("Add", ["w", "d"], ["out"])]  # fmt: skip
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, 4]) for n in ("x", "out")]
    places = {"a": "first.bin", "b": "second.bin", "d": "first.bin"}
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight(n, p) for n, p in places.items()])
    path = folder / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    for seed, name in enumerate(("constant.bin", "first.bin", "second.bin")):
        (folder / name).write_bytes(np.full(16, seed, np.float32).tobytes())
    return path


def test_a_file_without_external_data(tmp_path: Path) -> None:
    path = model(tmp_path)
    whole = onnx.load(path)
    onnx.save(whole, tmp_path / "whole.onnx")
    loaded, found = load(tmp_path / "whole.onnx", 2**30), identity(tmp_path / "whole.onnx")
    assert (found.sha256, found.size_bytes, found.data) == (loaded.sha256, loaded.size_bytes, ())


def test_external_data_counts_in_the_order_in_which_it_is_loaded(tmp_path: Path) -> None:
    path = model(tmp_path)
    loaded, found = load(path, 2**30), identity(path)
    assert (found.sha256, found.size_bytes) == (loaded.sha256, loaded.size_bytes)
    assert [place.location for place in found.data] == ["first.bin", "second.bin", "constant.bin"]


def test_what_is_not_all_there_is_refused_with_its_own_kind_of_error(tmp_path: Path) -> None:
    path = model(tmp_path)
    with pytest.raises(TooLarge, match="over the size limit"):
        identity(path, path.stat().st_size + 100)
    (tmp_path / "second.bin").write_bytes(POINTER)
    with pytest.raises(NotDownloaded, match=r"second.bin.*git lfs pull"):
        identity(path)
    (tmp_path / "second.bin").unlink()
    with pytest.raises(DataMissing, match=r"second.bin"):
        identity(path)
    path.write_bytes(POINTER)
    with pytest.raises(NotDownloaded, match="git lfs pull"):
        identity(path)
    for content, what in ((b"", "empty"), (b"<!DOCTYPE html><html>", "web page"), (b"PK\x03\x04....", "zip")):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=what):
            identity(path)


def test_a_damaged_file_and_one_that_reaches_out_of_its_folder_still_have_the_hash_of_their_bytes(
    tmp_path: Path,
) -> None:
    path = model(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    assert identity(path).size_bytes == len(content) - 9
    path.write_bytes(content.replace(b"second.bin", b"../etc/abc"))
    assert identity(path).size_bytes == len(content)
    assert identity(path).data == ()
