"""The ONNX model zoo's manifest."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from onnxray.scanner.catalog import Catalog, inventory
from onnxray.scanner.errors import OptionError

TINY = b"\x08\x07\x3a\x00"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"
FOLDER = "vision/classification/net/model"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def listed(name: str, content: bytes = TINY, folder: str = FOLDER, **more: Any) -> dict[str, Any]:
    metadata = {"model_sha": sha256(content), "model_bytes": len(content), "tags": folder.split("/")[:-1], **more}
    return {"model": name.title(), "model_path": f"{folder}/{name}.onnx", "opset_version": 12, "metadata": metadata}


def scanned(root: Path, models: Any, told: list[str] | None = None) -> Catalog:
    path = root / "ONNX_HUB_MANIFEST.json"
    path.write_text(json.dumps(models))
    return inventory([str(path)], told=(told if told is not None else []).append)


def put(root: Path, name: str, content: bytes = TINY) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_classifiers_beside_the_manifest_with_their_hashes_checked(tmp_path: Path) -> None:
    put(tmp_path, f"{FOLDER}/good.onnx")
    put(tmp_path, f"{FOLDER}/changed.onnx", TINY + b"x")
    put(tmp_path, f"{FOLDER}/pointer.onnx", POINTER)
    put(tmp_path, f"{FOLDER}/{sha256(TINY)}_kept.onnx")
    put(tmp_path, "vision/style/model/other.onnx")
    told: list[str] = []
    models = [listed(name) for name in ("good", "changed", "pointer", "kept", "gone")]
    catalog = scanned(tmp_path, [*models, listed("other", folder="vision/style/model")], told)
    assert [entry.name for entry in catalog.entries] == [f"{FOLDER}/good.onnx", f"{FOLDER}/kept.onnx"]
    assert catalog.entries[0].origin == {"manifest": str(tmp_path / "ONNX_HUB_MANIFEST.json"), "model": "Good"}
    assert {Path(item.name).stem: item.code for item in catalog.unscanned} == {
        "changed": "manifest", "pointer": "not-downloaded", "gone": "missing",
    }  # fmt: skip
    assert ["1 entries are left out" in line for line in told] == [True]


@pytest.mark.parametrize("right", [True, False])
def test_an_archive_with_test_data_in_place_of_the_model(tmp_path: Path, right: bool) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in {"net/net.onnx": TINY, "net/test_data_set_0/input_0.pb": b"x"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path = put(tmp_path, f"{FOLDER}/net.tar.gz", packed.getvalue())
    expected = sha256(path.read_bytes()) if right else "0" * 64
    more: dict[str, Any] = {"model_with_data_path": f"{FOLDER}/net.tar.gz", "model_with_data_sha": expected}
    catalog = scanned(tmp_path, [listed("net", **more)])
    assert [entry.member for entry in catalog.entries] == (["net/net.onnx"] if right else [])
    assert [item.code for item in catalog.unscanned] == ([] if right else ["manifest"])


def test_paths_that_lead_out_of_the_zoo_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "secret.onnx")
    (tmp_path / "zoo").mkdir()
    models = [listed("a"), listed("b", model_with_data_path="/etc/x.tar.gz")]
    models[0]["model_path"] = "classification/../../secret.onnx"
    catalog = scanned(tmp_path / "zoo", models)
    assert catalog.entries == ()
    assert [item.code for item in catalog.unscanned] == ["manifest", "manifest"]


@pytest.mark.parametrize("content", ["[", "[1]", '[{"model": "x"}]', "[" * 100_000, '[{"model_path": 3}]'])
def test_what_is_no_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "models.json").write_text(content)
    with pytest.raises(OptionError, match=r"models.json: not a manifest of the ONNX model zoo") as raised:
        inventory([str(tmp_path / "models.json")])
    assert str(raised.value).isprintable()
