"""What a node is sent that does not see a job's files; without Ray."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxray.scanner.batch.identity import Contents
from onnxray.scanner.config import ScanOptions
from onnxray.scanner.errors import ClusterError
from onnxray.scanner.executors import _ray_files
from onnxray.scanner.executors._ray_files import Parcel, lacking, marks, pack, placed, unpack
from onnxray.scanner.jobs import Job


def job(path: Path, data: Path | None = None, calibration: Path | None = None) -> Job:
    options = ScanOptions(calibration=calibration)
    return Job(key="k", name="n", path=path, sha256="0" * 64, size_bytes=1, data=data, options=options)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model in a repository: weights beside it, configuration above it, and strangers all around."""
    folder = tmp_path / "repository" / "onnx"
    folder.mkdir(parents=True)
    weights = onnx.numpy_helper.from_array(np.arange(600, dtype=np.float32).reshape(20, 30), "w")
    image, scores = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in "xy")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [image], [scores], [weights]
    )
    onnx.save(
        onnx.helper.make_model(graph),
        folder / "model.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
    )
    (folder.parent / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    (folder / "stranger.onnx").write_bytes(b"not asked for")
    return folder / "model.onnx"


def test_a_model_goes_with_all_that_its_scan_reads(model: Path, tmp_path: Path) -> None:
    there = unpack(pack(job(model), "path"), tmp_path / "node")
    assert there == tmp_path / "node" / "onnx" / "model.onnx"
    expected = contents(model.parent.parent)
    del expected["onnx/stranger.onnx"]
    assert set(expected) == {"onnx/model.onnx", "onnx/w.bin", "preprocessor_config.json"}
    assert contents(tmp_path / "node") == expected


def test_a_model_that_names_files_elsewhere_goes_without_them(model: Path) -> None:
    model.write_bytes(model.read_bytes().replace(b"w.bin", b"/etc/"))
    assert {name for name, _ in pack(job(model), "path").files} == {"onnx/model.onnx", "preprocessor_config.json"}


def test_folders_and_tables_go_with_their_pictures(model: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    (pictures / "a").mkdir(parents=True)
    (pictures / "a" / "1.png").write_bytes(b"one")
    (pictures / "list.csv").write_text("path,label\na/1.png,0\n", encoding="utf-8")
    assert contents(unpack(pack(job(model, pictures), "data"), tmp_path / "f")) == contents(pictures)
    table = unpack(pack(job(model, pictures / "list.csv"), "data"), tmp_path / "t")
    assert table.name == "list.csv"
    assert contents(table.parent) == contents(pictures)


def test_what_cannot_be_sent_is_told(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.png").write_bytes(b"one")
    table = tmp_path / "lists" / "list.csv"
    table.parent.mkdir()
    table.write_text(f"path,label\n{tmp_path / '1.png'},0\n", encoding="utf-8")
    with pytest.raises(ClusterError, match=r"outside .*lists, so it is not sent"):
        pack(job(model, table), "data")
    with pytest.raises(ClusterError, match=r"gone\.npz: cannot be read to be sent"):
        pack(job(model, tmp_path / "gone.npz"), "data")
    monkeypatch.setattr(_ray_files, "MOST_BYTES", 10)
    with pytest.raises(ClusterError, match="too many to send to a node; put it where every node sees it"):
        pack(job(model), "path")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_nothing_is_written_outside_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="leads out of its folder"):
        unpack(Parcel(".", ((name, b"evil"),)), tmp_path / "node")


def test_a_file_is_lacking_where_it_is_another_one(model: Path, tmp_path: Path) -> None:
    data, calibration = tmp_path / "data.npz", tmp_path / "calibration.json"
    data.write_bytes(b"pictures")
    calibration.write_bytes(b"{}")
    asked = job(model, data, calibration)
    expected = marks(asked, Contents())
    assert lacking(asked, expected, Contents()) == set()
    data.write_bytes(b"picturez")
    model.write_bytes(b"longer or shorter")
    assert lacking(asked, expected, Contents()) == {"path", "data"}
    calibration.unlink()
    assert lacking(asked, expected, Contents()) == {"path", "data", "calibration"}
    moved = placed(asked, {"path": Path("p"), "calibration": Path("c")})
    assert (moved.path, moved.data, moved.options.calibration) == (Path("p"), data, Path("c"))
