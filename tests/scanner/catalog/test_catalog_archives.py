"""Archives: what is in them, and what must not come out of them."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnxray.converters.identity import identity
from onnxray.scanner.catalog import Catalog, inventory, local, members, zip_archive
from onnxray.scanner.errors import OnnxrayError
from onnxray.scanner.stored_preprocessing import stored_names

TINY = b"\x08\x07\x3a\x00"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"
Packer = Callable[[Path, dict[str, bytes]], Path]


def zipped(path: Path, contents: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w", how) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path.with_suffix(".zip")


def tarred(path: Path, contents: dict[str, bytes], suffix: str = ".tar") -> Path:
    path = path.with_suffix(suffix)
    with tarfile.open(path, "w:gz" if suffix.endswith("gz") else "w") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tgz(path: Path, contents: dict[str, bytes]) -> Path:
    return tarred(path, contents, ".tgz")


def outsourced(location: str = "weights.bin") -> bytes:
    """A model whose one weight lies in another file."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4], bytes(16), raw=True)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    graph = onnx.GraphProto(name="g", initializer=[weight])
    content: bytes = onnx.ModelProto(ir_version=8, graph=graph).SerializeToString()
    return content


def codes(catalog: Catalog) -> dict[str, str]:
    return {item.name.partition("!")[2]: item.code for item in catalog.unscanned}


packers = pytest.mark.parametrize("pack", [zipped, tarred, tgz])


@packers
def test_members_are_entries_with_the_hash_that_they_have_unpacked(tmp_path: Path, pack: Packer) -> None:
    contents = {"./nets/a.onnx": outsourced(), "nets/weights.bin": bytes(16), "nets/config.json": b"{}", "b.onnx": TINY}
    path = pack(tmp_path / "zoo", contents)
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    catalog = inventory([str(path)])
    assert catalog.unscanned == ()
    found = {entry.member: entry for entry in catalog.entries}
    assert found["nets/a.onnx"].name == f"{path}!nets/a.onnx"
    assert {name: e.sha256 for name, e in found.items()} == {n: identity(tmp_path / n).sha256 for n in found}
    assert found["nets/a.onnx"].size_bytes == len(outsourced()) + 16
    assert {entry.path for entry in catalog.entries} == {path}


@packers
def test_local_unpacks_a_model_with_its_data_and_what_lies_beside_it(tmp_path: Path, pack: Packer) -> None:
    config = b'{"id2label": {"0": "cat", "1": "dog"}}'
    contents = {"r/onnx/m.onnx": outsourced("d/w.bin"), "r/onnx/d/w.bin": bytes(16), "r/config.json": config,
                "r/onnx/labels.txt": b"cat\ndog", "r/other.bin": b"x", "elsewhere/config.json": b"{}"}  # fmt: skip
    path = pack(tmp_path / "zoo", contents)
    (entry,) = inventory([str(path)]).entries
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with local(entry, scratch) as file:
        assert identity(file).sha256 == entry.sha256
        assert stored_names(file, 2) == ("cat", "dog")
        there = {p.relative_to(next(scratch.iterdir())).as_posix() for p in scratch.rglob("*") if p.is_file()}
    assert there == set(contents) - {"r/other.bin", "elsewhere/config.json"}
    assert not list(scratch.iterdir())
    contents["r/onnx/d/w.bin"] = b"\1" * 16
    pack(tmp_path / "zoo", contents)
    with pytest.raises(OnnxrayError, match=r"m.onnx: changed since"), local(entry, scratch):
        pass
    path.unlink()
    with pytest.raises(OnnxrayError, match=r"m.onnx: cannot be unpacked \(No such file"), local(entry, scratch):
        pass


@packers
def test_names_that_lead_elsewhere_are_refused_and_the_rest_is_read(tmp_path: Path, pack: Packer) -> None:
    evil = ["../evil.onnx", "/evil.onnx", "a/../../evil.onnx", "..\\evil.onnx", "C:\\evil.onnx", "bad\x1b[0m.onnx",
            "evil\nname.txt", "x/" * 70 + "deep.onnx", "long" * 70 + ".onnx"]  # fmt: skip
    catalog = inventory([str(pack(tmp_path / "zoo", {"good.onnx": TINY} | dict.fromkeys(evil, TINY)))])
    assert [entry.member for entry in catalog.entries] == ["good.onnx"]
    assert [item.code for item in catalog.unscanned] == ["bad-member"] * len(evil)
    assert all("do not trust" in item.why and item.name.isprintable() for item in catalog.unscanned)
    assert not (tmp_path.parent / "evil.onnx").exists()


@packers
def test_what_is_in_an_archive_but_no_model(tmp_path: Path, pack: Packer) -> None:
    contents = {
        "lfs.onnx": POINTER,
        "empty.onnx": b"",
        "inner.zip": b"PK",
        "in/ner.tar.gz": b"x",
        "x.txt": b"tree\n",
        "data.onnx": outsourced("gone.bin"),
        "p.pt": b"\x80\x02}q\x00.",
        "a.onnx": TINY,
        "a.pt": b"\x80\x02}.",
    }
    catalog = inventory([str(pack(tmp_path / "zoo", contents))])
    assert [entry.member for entry in catalog.entries] == ["a.onnx"]
    assert codes(catalog) == {
        "lfs.onnx": "not-downloaded", "empty.onnx": "unreadable", "inner.zip": "bad-member", "data.onnx": "missing",
        "in/ner.tar.gz": "bad-member", "p.pt": "unreadable",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_both_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("m.onnx", "m.onnx", "n.onnx", "./n.onnx"):
            archive.writestr(name, TINY)
    catalog = inventory([str(tmp_path / "a.zip")])
    assert catalog.entries == ()
    assert set(codes(catalog).values()) == {"bad-member"}


def test_links_and_devices_in_a_tar(tmp_path: Path) -> None:
    kinds = {
        "link.onnx": tarfile.SYMTYPE,
        "hard.onnx": tarfile.LNKTYPE,
        "dev.onnx": tarfile.CHRTYPE,
        "pipe.onnx": tarfile.FIFOTYPE,
        "w.bin": tarfile.SYMTYPE,
    }
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("m.onnx")
        info.size = len(outsourced("w.bin"))
        archive.addfile(info, io.BytesIO(outsourced("w.bin")))
    catalog = inventory([str(tmp_path / "a.tar")])
    assert catalog.entries == ()
    assert codes(catalog) == dict.fromkeys((n for n in kinds if n != "w.bin"), "bad-member") | {"m.onnx": "missing"}


def test_links_and_encryption_in_a_zip(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.onnx")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret.onnx", TINY)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    catalog = inventory([str(tmp_path / "a.zip")])
    assert codes(catalog) == {"link.onnx": "bad-member", "secret.onnx": "bad-member"}
    assert any("encrypted" in item.why for item in catalog.unscanned)


def test_compression_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_FREE", 1 << 16)
    zeros = bytes(1 << 20)
    noise = os.urandom(1 << 14)
    catalog = inventory([str(zipped(tmp_path / "one", {"bomb.onnx": zeros, "noise.bin": noise, "a.onnx": TINY}))])
    assert [entry.member for entry in catalog.entries] == ["a.onnx"]
    assert codes(catalog) == {"bomb.onnx": "bad-member"}
    for path in (
        zipped(tmp_path / "all", {f"{i}.onnx": zeros for i in range(4)}),
        tgz(tmp_path / "t", {"m.onnx": zeros}),
    ):
        catalog = inventory([str(path)])
        assert catalog.entries == ()
        assert [(item.code, "bomb" in item.why) for item in catalog.unscanned] == [("bad-archive", True)]


def test_a_zip_that_declares_another_size_than_it_has(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a", {"m.onnx": TINY * 100, "n.onnx": TINY})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    for size in (399, 401, 2**31):
        content[at + 24 : at + 28] = struct.pack("<L", size)
        path.write_bytes(content)
        catalog = inventory([str(path)])
        if size == 2**31:
            assert [item.code for item in catalog.unscanned] == ["bad-archive"]  # it claims to be a bomb
            continue
        assert [entry.member for entry in catalog.entries] == ["n.onnx"]
        assert codes(catalog) == {"m.onnx": "bad-member"}


def test_a_list_of_members_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a", {f"{i}.onnx": TINY for i in range(50)})
    monkeypatch.setattr(zip_archive, "_LARGEST_DIRECTORY", 1000)
    assert [item.why[:17] for item in inventory([str(path)]).unscanned] == ["a list of members"]
    monkeypatch.undo()
    monkeypatch.setattr(members, "MOST_MEMBERS", 20)
    for archive in (path, tarred(tmp_path / "b", {f"{i}.onnx": TINY for i in range(50)})):
        assert "at most 20 members" in inventory([str(archive)]).unscanned[0].why


def test_a_tar_that_leads_its_reader_back(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a", {"m.onnx": TINY, "n.onnx": TINY})
    content = bytearray(path.read_bytes())
    header = content[1024:1536]
    header[124:136] = b"\xff" * 12  # size -1 in GNU's base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    content[1024:1536] = header
    path.write_bytes(content)
    catalog = inventory([str(path)])
    assert catalog.entries == ()
    assert [item.code for item in catalog.unscanned] == ["bad-archive"]


def test_whole_archives_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "lfs.zip").write_bytes(POINTER)
    (tmp_path / "page.zip").write_bytes(b"<html>")
    (tmp_path / "cut.tgz").write_bytes(tgz(tmp_path / "a", {"m.onnx": os.urandom(5000)}).read_bytes()[:-2000])
    (tmp_path / "a.tgz").unlink()
    zipped(tmp_path / "pictures", {"a.png": b"x"})
    catalog = inventory([str(tmp_path)])
    assert {Path(item.name).name: item.code for item in catalog.unscanned} == {
        "lfs.zip": "not-downloaded", "page.zip": "bad-archive", "cut.tgz": "bad-archive",
    }  # fmt: skip
    (told,) = inventory([str(tmp_path / "pictures.zip")]).unscanned
    assert told.code == "bad-archive"


def test_a_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 28
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(header.tobuf())
        file.write(bytes(1 << 20))
    (told,) = inventory([str(tmp_path / "a.tar.gz")]).unscanned
    assert (told.code, "header" in told.why) == ("bad-archive", True)


def test_a_disk_that_fills_is_a_line_for_each_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "zoo", {"a.onnx": TINY, "a_int8.onnx": TINY})
    (entry, other) = inventory([str(path)]).entries
    assert entry.group == other.group == str(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zip_archive, "copy", full)
    catalog = inventory([str(path)])
    assert [(item.code, "No space left" in item.why) for item in catalog.unscanned] == [("unreadable", True)] * 2
    with pytest.raises(OnnxrayError, match="No space left"), local(entry, tmp_path):
        pass


def bzip(path: Path, contents: dict[str, bytes]) -> Path:
    return zipped(path, contents, zipfile.ZIP_BZIP2)


def lzma(path: Path, contents: dict[str, bytes]) -> Path:
    return zipped(path, contents, zipfile.ZIP_LZMA)


@pytest.mark.parametrize("pack", [zipped, bzip, lzma, tarred, tgz])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_told_and_never_raised(tmp_path: Path, pack: Packer, data: st.DataObject) -> None:
    path = pack(tmp_path / "zoo", {"a.onnx": TINY, "b/c.onnx": outsourced(), "b/weights.bin": bytes(16)})
    content = bytearray(path.read_bytes())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)):
        content[at] = value
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    catalog = inventory([str(path)])
    assert catalog.entries or catalog.unscanned
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    for entry in catalog.entries:
        with local(entry, scratch) as file:
            assert identity(file).sha256 == entry.sha256
    assert not list(scratch.iterdir())
