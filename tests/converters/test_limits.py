from pathlib import Path

import pytest
from onnxray.converters import ModelError, open_model

FOREIGN = {
    "empty": (b"", "empty"),
    "text": (b"This is my model, I hope.\n", "got text"),
    "json": (b'{"model": "resnet"}', "got text"),
    "web page": (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "zip": (b"PK\x03\x04" + bytes(40), "zip archive"),
    "pickle": (b"\x80\x02}q\x00.", "pickle"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(40), "TensorFlow Lite"),
    "safetensors": (b"\x10\x00\x00\x00\x00\x00\x00\x00" + b'{"w":{"dtype":1}}', "safetensors"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(40), "PNG"),
}


@pytest.mark.parametrize(("content", "words"), FOREIGN.values(), ids=FOREIGN)
def test_names_what_a_foreign_file_looks_like(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        open_model(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_file_folder_and_device(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "absent.onnx", "no such file"), (tmp_path, "folder"), ("/dev/null", "device")):
        with pytest.raises(ModelError, match=words):
            open_model(path)


def test_impossible_path_is_one_clear_line() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        open_model("a\0b.onnx")


def test_size_limit_comes_before_parsing(linear: Path) -> None:
    size = linear.stat().st_size
    assert open_model(linear, max_bytes=size).facts.size_bytes == size
    with pytest.raises(ModelError, match=f"at most {size - 1} bytes, got {size}"):
        open_model(linear, max_bytes=size - 1)
