"""Keras: what could run code is refused without Keras; the rest converts."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxray.converters import ModelError, open_model
from onnxray.converters.sources import Refused, convert
from onnxray.converters.sources._keras_config import refuse_code


def layer(name: str, module: str | None = "keras.layers", **extra: Any) -> dict[str, Any]:
    return {"class_name": name, "module": module, "registered_name": None, "config": {}, **extra}


def archive(path: Path, *layers: dict[str, Any]) -> Path:
    """A Keras archive without weights that are any."""
    with zipfile.ZipFile(path, "w") as file:
        config = layer("Sequential", "keras", config={"layers": list(layers)})
        file.writestr("config.json", json.dumps(config))
        file.writestr("metadata.json", "{}")
        file.writestr("model.weights.h5", b"")
    return path


EVIL = [
    (layer("Lambda"), "a Lambda layer"),
    (layer("Lambda", None), "a Lambda layer"),
    (layer("Lambda", "keras.src.layers.core.lambda_layer"), "a Lambda layer"),
    (layer("Dense", config={"activation": {"class_name": "__lambda__", "config": {"value": "4w"}}}), "bytecode"),
    (layer("TorchModuleWrapper"), "pickle"),
    (layer("TFSMLayer", config={"filepath": "/tmp/x"}), "another program"),
    (layer("Mine", "mine.layers"), r"another module than Keras' own \(mine.layers.Mine\)"),
    (layer("Popen", "subprocess"), "subprocess.Popen"),
    (layer("Dense", "keras.utils"), "keras.utils.Dense"),
    (layer("Dense", "kerasevil.layers"), "kerasevil"),
    (layer("layers.Lambda", "keras"), "custom object"),
    (layer("Dense", registered_name="Custom>Dense"), "custom object"),
    (layer("Custom>Dense", None), "custom object"),
    (layer("function", "os", config="system"), "os.system"),
    (layer("function", "keras.utils", config="get_file"), "keras.utils.get_file"),
    (layer("Dense", config={"a": [{"b": layer("function", "keras.saving", config="load_model")}]}), "load_model"),
    (layer("StringLookup", config={"vocabulary": "/etc/passwd"}), "/etc/passwd"),
]  # fmt: skip


@pytest.mark.parametrize(("evil", "reason"), EVIL, ids=lambda value: str(value)[:60])
def test_code_in_a_configuration_is_refused(tmp_path: Path, evil: dict[str, Any], reason: str) -> None:
    path = archive(tmp_path / "m.keras", layer("Dense"), evil)
    with pytest.raises(Refused, match=rf"refused: it holds .*{reason}.*save the model again"):
        convert(path, tmp_path / "out.onnx")
    with pytest.raises(Refused, match=reason):
        convert(path.rename(tmp_path / "renamed.bin"), tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_own_objects_pass() -> None:
    relu = layer("function", "builtins", config="relu", registered_name="function")
    dense = layer("Dense", config={"activation": relu, "dtype": layer("DTypePolicy", "keras")})
    operation = layer("Mean", "keras.src.ops.numpy")
    refuse_code(layer("Functional", "keras.src.models.functional", config={"layers": [dense, operation]}), "m")


def test_nesting_ends() -> None:
    config: Any = {}
    for _ in range(500):
        config = [config]
    with pytest.raises(ModelError, match="nested"):
        refuse_code(config, "m")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"text"])
def test_damaged_archives_give_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.keras").write_bytes(content)
    with pytest.raises(ModelError, match="not readable as a Keras archive"):
        convert(tmp_path / "m.keras", tmp_path / "out.onnx")


def hdf5(path: Path, config: object) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
    return path


def test_lambda_layers_in_hdf5_are_refused(tmp_path: Path) -> None:
    config = {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Lambda", "config": {"function": ["4w"]}}]},
    }
    with pytest.raises(Refused, match="a Lambda layer"):
        convert(hdf5(tmp_path / "m.h5", config), tmp_path / "out.onnx")


def test_weights_alone_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="weights without a network"):
        convert(hdf5(tmp_path / "m.h5", None), tmp_path / "out.onnx")


def test_hdf5_that_reads_other_files_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = hdf5(tmp_path / "m.h5", {"class_name": "Sequential", "config": {}})
    with h5py.File(path, "a") as file:
        file.create_group("a")["w"] = h5py.ExternalLink("/tmp/other.h5", "/w")
    with pytest.raises(Refused, match="reads another file"):
        convert(path, tmp_path / "out.onnx")


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_network_converts(tmp_path: Path, name: str) -> None:
    pytest.importorskip("tf2onnx")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    shape = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    model = keras.Sequential([*shape, keras.layers.Flatten(), keras.layers.Dense(5, activation="softmax")])
    model.save(tmp_path / name)
    summary = convert(tmp_path / name, tmp_path / "out.onnx")
    assert summary.facts.input.shape == (None, 8, 8, 3)
    assert summary.parity is not None
    inputs = np.random.default_rng(0).random((5, 8, 8, 3), dtype=np.float32)
    np.testing.assert_allclose(open_model(tmp_path / "out.onnx").run(inputs), model(inputs), atol=1e-5)


def test_a_lambda_layer_that_keras_wrote_is_refused(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(3)])
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        with pytest.raises(Refused, match="a Lambda layer"):
            convert(tmp_path / name, tmp_path / "out.onnx")


def test_linked_weights_in_an_archive_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(hdf5(tmp_path / "w.h5", None), "a") as file:
        file.create_dataset("w", (4,), "f4", external=[(str(tmp_path / "secret"), 0, 16)])
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as file:
        file.writestr("config.json", json.dumps(layer("Sequential", "keras")))
        file.writestr("metadata.json", "{}")
        file.write(tmp_path / "w.h5", "model.weights.h5")
    with pytest.raises(Refused, match="reads another file"):
        convert(tmp_path / "m.keras", tmp_path / "out.onnx")
