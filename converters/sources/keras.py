"""Keras, in its own archives and in HDF5 files."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, Refused, require
from ._keras_config import refuse_code
from ._pickles import entries, starts_with

_HDF5 = b"\x89HDF\r\n\x1a\n"
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MAX_CONFIG = 2**26  # bytes


class Keras(Framework):
    """Whole models of Keras' own layers; Lambda layers and custom objects are refused before anything is loaded."""

    name = "Keras model"
    suffixes = (".keras", ".h5", ".hdf5")
    extra = "keras"

    def recognises(self, path: Path) -> bool:
        """By the suffix, by the signature of HDF5, or by Keras' names in an archive."""
        if path.suffix.lower() in self.suffixes:
            return path.is_file()
        return starts_with(path, _HDF5) or {_CONFIG, _WEIGHTS} <= set(entries(path))

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Judge the configuration, load what was judged, export it."""
        with tempfile.TemporaryDirectory() as folder:
            if starts_with(path, _HDF5):
                _judge_hdf5(path, self.extra)
                return _converted(path, path, self.extra)
            safe = _judged_archive(path, Path(folder))
            with _opened(Path(folder) / _WEIGHTS, path, self.extra) as weights:
                _refuse_links(weights, path, require("h5py", self.extra))
            return _converted(path, safe, self.extra)


def _converted(path: Path, safe: Path, extra: str) -> Converted:
    require("tf2onnx", extra)
    require("tensorflow", extra)
    keras = require("keras", extra)
    from ._tensorflow import converted_keras

    if keras.backend.backend() != "tensorflow":
        raise ModelError(f"{path}: Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow to convert it")
    try:
        model = keras.saving.load_model(safe, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - Keras raises anything on a file it cannot read
        raise ModelError(f"{path}: Keras {keras.__version__} cannot load it: {one_line(error, 200)}") from None
    return converted_keras(model, str(path))


def _judged_archive(path: Path, folder: Path) -> Path:
    """Write the parts that make the model anew, so that Keras reads what we have read."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = _json(archive, _CONFIG, path)
            refuse_code(config, str(path))
            config.pop("compile_config", None)
            metadata = _json(archive, _METADATA, path)
            (folder / _WEIGHTS).write_bytes(archive.read(_WEIGHTS))
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: not readable as a Keras archive ({one_line(error, 160)}); save it again") from None
    safe = folder / "model.keras"
    with zipfile.ZipFile(safe, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_CONFIG, json.dumps(config))
        archive.writestr(_METADATA, json.dumps(metadata))
        archive.write(folder / _WEIGHTS, _WEIGHTS)
    return safe


def _json(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    if archive.getinfo(name).file_size > _MAX_CONFIG:
        raise ModelError(f"{path}: {name} is larger than {_MAX_CONFIG} bytes, which no model needs")
    return _mapping(archive.read(name), path)


def _mapping(text: bytes | str, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except RecursionError:
        raise ModelError(f"{path}: its configuration is nested too deep; it is damaged") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path}: expected a configuration, got {one_line(text, 60)}; save it again")
    return config


def _judge_hdf5(path: Path, extra: str) -> None:
    with _opened(path, path, extra) as file:
        config = file.attrs.get("model_config")
        _refuse_links(file, path, require("h5py", extra))
    if config is None:
        raise ModelError(
            f"{path}: holds weights without a network; save the whole model with model.save('model.keras')"
        )
    refuse_code(_mapping(config, path), str(path))


def _opened(file: Path, path: Path, extra: str) -> Any:
    h5py = require("h5py", extra)
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise ModelError(f"{path}: not readable as HDF5 ({one_line(error, 160)}); download or save it again") from None


def _refuse_links(group: Any, path: Path, h5py: Any) -> None:
    """Other files than this one must not end up in the weights."""
    for name in group:
        link = group.get(name, getlink=True)
        item = None if isinstance(link, h5py.ExternalLink) else group.get(name)
        if item is None or (isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)):
            raise Refused(f"{path}: refused: {one_line(name, 80)} reads another file; save the model again in one file")
        if isinstance(item, h5py.Group) and isinstance(link, h5py.HardLink):
            _refuse_links(item, path, h5py)
