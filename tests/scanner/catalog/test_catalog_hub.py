"""Hugging Face's hub: its cache, its addresses, and endpoints that behave or do not."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from onnxray.converters.identity import identity
from onnxray.scanner.catalog import Catalog, hub, hub_download, inventory, local
from onnxray.scanner.errors import OnnxrayError
from onnxray.scanner.stored_preprocessing import stored_names

COMMIT = "0123456789abcdef0123456789abcdef01234567"  # as the endpoint of conftest.py has it
Serving = Callable[..., AbstractContextManager[Any]]
TINY = b"\x08\x07\x3a\x00"
CONFIG = b'{"id2label": {"0": "cat", "1": "dog"}}'
OLD = "f" * 40


def outsourced(location: str) -> bytes:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4], bytes(16), raw=True)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    content: bytes = onnx.ModelProto(
        ir_version=8, graph=onnx.GraphProto(name="g", initializer=[weight])
    ).SerializeToString()
    return content


FILES = {
    "onnx/model.onnx": outsourced("model.onnx_data"),
    "onnx/model.onnx_data": bytes(16),
    "onnx/model_int8.onnx": TINY,
    "config.json": CONFIG,
    "README.md": b"# A model",
    "model.safetensors": bytes(100),
}


def cached(cache: Path, revision: str = COMMIT, ref: str = "main", repository: str = "org--repo") -> Path:
    """A repository in a cache as the hub's library leaves it."""
    folder = cache / f"models--{repository}"
    for number, (name, content) in enumerate(FILES.items()):
        blob = folder / "blobs" / f"{number}{revision}"
        link = folder / "snapshots" / revision / name
        for path in (blob, link):
            path.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link.symlink_to(Path("../" * (2 + name.count("/"))) / "blobs" / blob.name)
    if ref:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / ref).write_text(revision)
    return folder


def names(catalog: Catalog) -> list[str]:
    return [entry.name for entry in catalog.entries]


def codes(catalog: Catalog) -> dict[str, str]:
    return {item.name: item.code for item in catalog.unscanned}


def test_a_cache_gives_the_snapshots_that_are_pointed_at(tmp_path: Path) -> None:
    cached(tmp_path / "hub")
    cached(tmp_path / "hub", OLD, ref="")
    cached(tmp_path / "hub", "e" * 40, ref="", repository="other--one")  # by its commit: nothing points at it
    told: list[str] = []
    catalog = inventory([str(tmp_path / "hub")], told=told.append)
    assert catalog.unscanned == ()
    assert {(e.origin["repository"], e.origin["revision"]) for e in catalog.entries} == {
        ("org/repo", COMMIT), ("other/one", "e" * 40),
    }  # fmt: skip
    assert [(e.group, e.path.name) for e in catalog.entries][:2] == [
        ("org/repo", "model.onnx"), ("org/repo", "model_int8.onnx"),
    ]  # fmt: skip
    assert sum("1 snapshots that no branch points at" in line for line in told) == 1
    with local(catalog.entries[0], tmp_path) as file:
        assert stored_names(file, 2) == ("cat", "dog")
        assert identity(file).size_bytes == len(FILES["onnx/model.onnx"]) + 16


def test_a_snapshot_can_be_named(tmp_path: Path) -> None:
    folder = cached(tmp_path / "hub")
    cached(tmp_path / "hub", OLD, ref="")
    catalog = inventory([str(folder / "snapshots" / OLD)])
    assert {entry.origin["revision"] for entry in catalog.entries} == {OLD}
    assert len(catalog.entries) == 2
    catalog = inventory([str(folder / "snapshots" / OLD / "onnx" / "model.onnx"), str(folder)])
    assert {entry.origin["revision"] for entry in catalog.entries} == {OLD, COMMIT}


def test_links_out_of_the_repository_and_blobs_that_are_gone(tmp_path: Path) -> None:
    folder = cached(tmp_path / "hub")
    (tmp_path / "secret.onnx").write_bytes(TINY)
    snapshot = folder / "snapshots" / COMMIT / "onnx"
    (snapshot / "evil.onnx").symlink_to(tmp_path / "secret.onnx")
    (snapshot / "model_int8.onnx").resolve().unlink()
    catalog = inventory([str(folder)])
    assert [entry.path.name for entry in catalog.entries] == ["model.onnx"]
    assert {Path(name).name: code for name, code in codes(catalog).items()} == {
        "evil.onnx": "unreadable", "model_int8.onnx": "not-downloaded",
    }  # fmt: skip


def test_offline_the_cache_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(tmp_path / "hub")
    cached(tmp_path / "hub", OLD, ref="refs%2Fpr%2F1".replace("%2F", "-"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    catalog = inventory(["hf://org/repo"])
    assert names(catalog) == ["hf://org/repo/onnx/model.onnx", "hf://org/repo/onnx/model_int8.onnx"]
    assert catalog.entries[0].origin == {"repository": "org/repo", "revision": COMMIT}
    assert names(inventory([f"hf://org/repo@{OLD}/onnx/model.onnx"])) == [f"hf://org/repo@{OLD}/onnx/model.onnx"]
    assert names(inventory(["hf://org/repo@refs-pr-1/onnx"]))[0] == "hf://org/repo@refs-pr-1/onnx/model.onnx"
    assert codes(inventory(["hf://org/none", "hf://org/repo@v2", "hf://org/repo/x.onnx"])) == {
        "hf://org/none": "hub", "hf://org/repo@v2": "hub", "hf://org/repo/x.onnx": "hub",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["hf://", "hf://repo", "hf://../x", "hf://org/repo/../../x", "hf://org/repo@..", "hf://org/r\n"]
)
def test_addresses_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(OnnxrayError, match="expected hf://ORG/REPOSITORY"):
        inventory([text])


def test_without_the_library_the_line_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    (told,) = inventory(["hf://org/repo"], cache=tmp_path).unscanned
    assert (told.code, "pip install 'onnxray[hub]'" in told.why) == ("hub", True)


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    pytest.importorskip("huggingface_hub")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_only_models_and_what_belongs_to_them_is_downloaded(
    tmp_path: Path, online: pytest.MonkeyPatch, serving: Serving
) -> None:
    with serving(FILES) as endpoint:
        online.setenv("HF_ENDPOINT", endpoint.url)
        catalog = inventory(["hf://org/repo@main"], cache=tmp_path / "hub")
        assert catalog.unscanned == ()
        assert names(catalog) == ["hf://org/repo@main/onnx/model.onnx", "hf://org/repo@main/onnx/model_int8.onnx"]
        assert sorted(endpoint.asked) == sorted(set(FILES) - {"README.md", "model.safetensors"})
        assert catalog.entries[0].origin == {"repository": "org/repo", "revision": COMMIT}
        assert {entry.group for entry in catalog.entries} == {"org/repo"}
        assert inventory(["hf://org/repo@main"], cache=tmp_path / "hub") == catalog
        assert len(endpoint.asked) == 4
    with local(catalog.entries[0], tmp_path) as file:
        assert stored_names(file, 2) == ("cat", "dog")
    online.setenv("HF_HUB_OFFLINE", "1")
    assert inventory(["hf://org/repo@main"], cache=tmp_path / "hub") == catalog


def test_an_endpoint_that_misbehaves_costs_only_what_it_spoils(
    tmp_path: Path, online: pytest.MonkeyPatch, serving: Serving
) -> None:
    files = {"a.onnx": TINY, "b.onnx": TINY + b"b", "c.onnx": outsourced("c.data"), "c.data": bytes(16)}
    with serving(files, {"b.onnx": "short", "c.data": "gone", "": "evil"}) as endpoint:
        online.setenv("HF_ENDPOINT", endpoint.url)
        catalog = inventory(["hf://org/repo"], cache=tmp_path / "hub")
    assert names(catalog) == ["hf://org/repo/a.onnx"]
    assert codes(catalog) == {
        "hf://org/repo/b.onnx": "hub",
        "hf://org/repo/c.onnx": "missing",
        "hf://org/repo": "hub",
        "hf://org/repo/../evil.onnx": "bad-member",
    }


@pytest.mark.parametrize(("fault", "what"), [("hang", "sent nothing for 4 seconds"), ("flood", "more than the")])
def test_an_endpoint_that_never_ends_is_not_waited_for(
    tmp_path: Path, online: pytest.MonkeyPatch, serving: Serving, fault: str, what: str
) -> None:
    online.setattr(hub_download, "SILENCE", 4.0 if fault == "hang" else 60.0)
    with serving({"a.onnx": TINY, "b.onnx": TINY + b"b"}, {"b.onnx": fault}) as endpoint:
        online.setenv("HF_ENDPOINT", endpoint.url)
        begun = time.monotonic()
        stale = tmp_path / "hub" / "models--org--repo" / "blobs" / "0.incomplete"
        stale.parent.mkdir(parents=True)
        stale.write_bytes(bytes(1 << 24))  # of an earlier download
        catalog = inventory(["hf://org/repo"], cache=tmp_path / "hub")
    assert time.monotonic() - begun < 120
    assert names(catalog) == ["hf://org/repo/a.onnx"]
    assert [(item.name, item.code, what in item.why) for item in catalog.unscanned] == [
        ("hf://org/repo/b.onnx", "hub", True)
    ]


def test_an_endpoint_that_is_none(tmp_path: Path, online: pytest.MonkeyPatch, serving: Serving) -> None:
    with serving(FILES, {"": "lie"}) as endpoint:
        online.setenv("HF_ENDPOINT", endpoint.url)
        catalogs = [inventory(["hf://org/repo"], cache=tmp_path)]
    online.setenv("HF_ENDPOINT", endpoint.url)  # nobody listens any longer
    catalogs.append(inventory(["hf://org/repo"], cache=tmp_path))
    assert [(len(c.entries), [u.code for u in c.unscanned]) for c in catalogs] == [(0, ["hub"])] * 2
    assert "no commit" in catalogs[0].unscanned[0].why
    assert all(c.unscanned[0].why.isprintable() for c in catalogs)


def test_a_repository_without_models(tmp_path: Path, online: pytest.MonkeyPatch, serving: Serving) -> None:
    with serving({"README.md": b"x"}) as endpoint:
        online.setenv("HF_ENDPOINT", endpoint.url)
        (told,) = inventory(["hf://org/repo"], cache=tmp_path).unscanned
    assert (told.code, "no .onnx file" in told.why) == ("hub", True)
