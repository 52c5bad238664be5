"""Folders, files and patterns."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from onnxray.scanner.catalog import Catalog, Unscanned, inventory, local
from onnxray.scanner.errors import OnnxrayError

BUNDLED = Path(__file__).parents[3] / "models" / "bundled"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"


def blob(path: Path, content: bytes = b"\x08\x07\x3a\x00") -> Path:
    """A file that may be ONNX from its first bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(catalog: Catalog) -> list[str]:
    return [entry.name for entry in catalog.entries]


def codes(catalog: Catalog) -> dict[str, str]:
    return {item.name: item.code for item in catalog.unscanned}


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_walked_and_named_as_it_was_given(inside: Path) -> None:
    blob(inside / "m" / "a.onnx")
    blob(inside / "m" / "deep" / "er" / "B.ONNX")
    blob(inside / "m" / "notes.md")
    catalog = inventory(["m/"])
    assert names(catalog) == ["m/a.onnx", "m/deep/er/B.ONNX"]
    assert catalog.unscanned == ()
    assert catalog.entries[0].path == inside / "m" / "a.onnx"
    assert catalog.entries[0].sha256 == catalog.entries[1].sha256


def test_one_file_by_three_paths_is_one_entry_and_equal_bytes_are_two(inside: Path) -> None:
    blob(inside / "m" / "a.onnx")
    blob(inside / "m" / "b.onnx")
    assert names(inventory(["m/a.onnx", "m", str(inside / "m"), "m/*.onnx"])) == ["m/a.onnx", "m/b.onnx"]


def test_patterns(inside: Path) -> None:
    for name in ("m/a.onnx", "m/x/y/b.onnx", "m/[odd].onnx"):
        blob(inside / name)
    assert names(inventory(["m/**/?.onnx"])) == ["m/a.onnx", "m/x/y/b.onnx"]
    assert names(inventory(["m/[odd].onnx"])) == ["m/[odd].onnx"]
    with pytest.raises(OnnxrayError, match="matches nothing"):
        inventory(["m/*.pt"])
    with pytest.raises(OnnxrayError, match="no such file"):
        inventory(["m/none.onnx"])


def test_loops_are_named_and_survived(inside: Path) -> None:
    blob(inside / "m" / "a.onnx")
    (inside / "m" / "up").symlink_to(inside / "m", target_is_directory=True)
    (inside / "m" / "root").symlink_to("/", target_is_directory=True)
    (inside / "m" / "self.onnx").symlink_to("self.onnx")
    (inside / "other").mkdir()
    (inside / "other" / "back").symlink_to(inside / "m", target_is_directory=True)
    (inside / "m" / "out").symlink_to(inside / "other", target_is_directory=True)
    catalog = inventory(["m"])
    assert names(catalog) == ["m/a.onnx"]
    assert codes(catalog) == dict.fromkeys(["m/out/back", "m/root", "m/self.onnx", "m/up"], "loop")


def test_links_to_other_folders_are_followed_once(inside: Path) -> None:
    blob(inside / "store" / "a.onnx")
    (inside / "m").mkdir()
    for name in ("one", "two"):
        (inside / "m" / name).symlink_to(inside / "store", target_is_directory=True)
    assert len(names(inventory(["m"]))) == 1


def test_what_is_no_model_is_named_for_what_it_is(inside: Path) -> None:
    blob(inside / "m" / "good.onnx")
    blob(inside / "m" / "lfs.onnx", POINTER)
    blob(inside / "m" / "page.onnx", b"<!DOCTYPE html><html><body>404</body></html>")
    blob(inside / "m" / "empty.onnx", b"")
    (inside / "m" / "gone.onnx").symlink_to("nowhere.onnx")
    os.mkfifo(inside / "m" / "pipe.onnx")
    with (inside / "m" / "huge.onnx").open("wb") as file:
        file.truncate(2**31)
    catalog = inventory(["m"])
    assert names(catalog) == ["m/good.onnx"]
    why = {item.name: item for item in catalog.unscanned}
    assert why["m/lfs.onnx"].code == "not-downloaded"
    assert "git lfs pull" in why["m/lfs.onnx"].why
    assert why["m/huge.onnx"].code == "too-large"
    for name, what in (("page", "web page"), ("empty", "empty"), ("gone", "not there"), ("pipe", "pipe")):
        assert (why[f"m/{name}.onnx"].code, what in why[f"m/{name}.onnx"].why) == ("unreadable", True)
    assert str(inside) not in "".join(item.why for item in catalog.unscanned)


def test_a_folder_that_cannot_be_read_is_named_and_the_rest_goes_on(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob(inside / "m" / "a.onnx")
    blob(inside / "m" / "locked" / "b.onnx")
    usual = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path)

    monkeypatch.setattr(os, "scandir", refusing)
    catalog = inventory(["m"])
    assert names(catalog) == ["m/a.onnx"]
    assert catalog.unscanned == (Unscanned("m/locked", "unreadable", "cannot be read (Permission denied)"),)


def test_names_are_printable_and_unique(inside: Path) -> None:
    for name in ("a\x1b[31m.onnx", "a\n[31m.onnx", os.fsdecode(b"\xff.onnx")):
        blob(inside / "m" / name)
    found = names(inventory(["m"]))
    assert len(set(found)) == 3
    assert all(name.isprintable() for name in found)


def test_variants_share_a_group(inside: Path) -> None:
    for name in ("repo/onnx/model.onnx", "repo/onnx/model_quantized.onnx", "repo/onnx/model_fp16.onnx",
                 "repo/model.onnx", "zoo/resnet-50.onnx", "zoo/resnet-50-int8.onnx", "zoo/vgg.onnx",
                 "alone/x.onnx"):  # fmt: skip
        blob(inside / name)
    groups = {entry.name: entry.group for entry in inventory(["repo", "zoo", "alone"]).entries}
    assert {groups[name] for name in groups if name.startswith("repo")} == {"repo"}
    assert groups["zoo/resnet-50.onnx"] == groups["zoo/resnet-50-int8.onnx"] == "zoo/resnet-50"
    assert groups["zoo/vgg.onnx"] == groups["alone/x.onnx"] == ""


def test_local_gives_the_file_unless_it_has_changed_or_gone(inside: Path) -> None:
    path = blob(inside / "a.onnx")
    (entry,) = inventory(["a.onnx"]).entries
    with local(entry, inside) as file:
        assert file == path
    blob(path, b"\x08\x08\x3a\x00")
    with pytest.raises(OnnxrayError, match=r"a.onnx: changed since"), local(entry, inside):
        pass
    path.unlink()
    with pytest.raises(OnnxrayError, match=r"a.onnx: no such file"), local(entry, inside):
        pass


def test_files_of_other_frameworks(inside: Path) -> None:
    blob(inside / "m" / "net.tflite", b"\x00\x00\x00\x00TFL3")
    blob(inside / "m" / "pickled.pt", b"\x80\x02}q\x00.")
    blob(inside / "m" / "pointer.pt", POINTER)
    blob(inside / "m" / "saved" / "saved_model.pb", b"x")
    blob(inside / "m" / "same.onnx")
    blob(inside / "m" / "same.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    told: list[str] = []
    catalog = inventory(["m"], told=told.append)
    assert names(catalog) == ["m/net.tflite", "m/same.onnx", "m/saved"]
    assert codes(catalog) == {"m/pickled.pt": "unreadable", "m/pointer.pt": "not-downloaded"}
    assert len(told) == 1
    assert "same.safetensors" in told[0]
    assert names(inventory(["m/same.safetensors"])) == ["m/same.safetensors"]


def test_the_hash_is_the_one_that_a_report_has(inside: Path) -> None:
    model = next(iter(sorted(BUNDLED.glob("*.onnx"))), None)
    if model is None:
        pytest.skip("no bundled model")
    from onnxray.converters import open_model

    shutil.copy(model, inside / "a.onnx")
    (entry,) = inventory(["a.onnx"]).entries
    facts = open_model(inside / "a.onnx").facts
    assert (entry.sha256, entry.size_bytes) == (facts.sha256, facts.size_bytes)
