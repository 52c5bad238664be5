"""What could run code is refused before a framework sees it; none of these tests needs one."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from onnxray.converters import ModelError, open_model
from onnxray.converters.sources import MissingExtra, Refused, convert, find, require
from onnxray.converters.sources._exported_program import sanitised
from onnxray.converters.sources._find import frameworks

Entries = Mapping[str, str | bytes]


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def archive(path: Path, entries: Entries, compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip archive as torch writes it, in one top folder."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(f"top/{name}", content)
    return path


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "ran"


def _plain(path: Path, bomb: Bomb) -> None:
    path.write_bytes(pickle.dumps(bomb))


def _ancient(path: Path, bomb: Bomb) -> None:
    path.write_bytes(pickle.dumps(bomb, protocol=0))


def _joblib(path: Path, bomb: Bomb) -> None:
    pytest.importorskip("joblib").dump(bomb, path, compress=3)


def _torch_zip(path: Path, bomb: Bomb) -> None:
    archive(path, {"data.pkl": pickle.dumps(bomb), "version": "3"})


PICKLES = [
    ("model.pkl", _plain), ("model.pickle", _ancient), ("model.joblib", _joblib), ("model.bin", _plain),
    ("model.pt", _plain), ("model.pth", _torch_zip), ("model.pt2", _torch_zip), ("model.skops", _torch_zip),
    ("model.txt", _plain), ("renamed.safetensors", _plain),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write"), PICKLES)
def test_pickles_are_refused_whatever_their_name(
    tmp_path: Path, mark: Path, name: str, write: Callable[[Path, Bomb], None]
) -> None:
    path = tmp_path / name
    write(path, Bomb(mark))
    for use in (lambda: convert(path, tmp_path / "out.onnx"), lambda: open_model(path)):
        with pytest.raises(Refused, match=r"refused: it is .*pickle.* run any code .*save"):
            use()
    assert not mark.exists()
    assert not (tmp_path / "out.onnx").exists()


def test_the_safe_way_fits_the_file(tmp_path: Path, mark: Path) -> None:
    for name, way in (("m.pt", "torch.export.save"), ("m.pkl", "skops.io.dump")):
        _plain(tmp_path / name, Bomb(mark))
        with pytest.raises(Refused, match=way):
            find(tmp_path / name)


@pytest.mark.parametrize(
    "code",
    [
        'torch.save(x, "/tmp/x")', "(x).save()", 'torch.from_file("/etc/passwd")', "ops.aten.save(x)",
        "ops . evil.f(x)", 'rpc_sync("w", f)', 'getattr(torch, "\\x73ave")(x)',
    ],
)  # fmt: skip
def test_torchscript_that_touches_files_is_refused(tmp_path: Path, code: str) -> None:
    text = f"class Net(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    _0 = {code}\n    return x\n"
    path = archive(tmp_path / "m.pt", {"data.pkl": b"", "constants.pkl": b"", "code/__torch__.py": text})
    with pytest.raises(Refused, match="TorchScript code uses"):
        convert(path, tmp_path / "out.onnx")


def program(**changes: Any) -> dict[str, Any]:
    """The parts of an exported program that matter here."""
    tree = json.dumps([1, {"type": "builtins.tuple", "context": "null", "children_spec": []}])
    node = {"target": "torch.ops.aten.relu.default", "name": "relu", "inputs": [], "metadata": {"stack_trace": "(x)"}}
    return {
        "graph": {"inputs": [{"as_tensor": {"name": "x"}}], "nodes": [node]},
        "size": {"expr_str": "Mul(Integer(8), Max(1, 2*s77 + Symbol('s3', positive=True, integer=True)))"},
        "in_spec": tree,
        "guards_code": ["__import__('os')"],
        **changes,
    }


def exported(path: Path, contents: Any, entries: Entries = MappingProxyType({})) -> Path:
    held = {"archive_format": "pt2", "archive_version": "0", "models/model.json": json.dumps(contents), **entries}
    return archive(path, held)


def test_guards_and_metadata_are_taken_out_of_an_exported_program(tmp_path: Path) -> None:
    kept = sanitised(exported(tmp_path / "m.pt2", program(), {"data/weights/weight_0": b"1", "extra/x.py": b"1"}))
    assert set(kept) == {"archive_format", "archive_version", "models/model.json", "data/weights/weight_0"}
    told = json.loads(kept["models/model.json"])
    assert told["guards_code"] == []
    assert told["graph"]["nodes"][0]["metadata"] == {}
    assert told["size"] == program()["size"]


def _spec(kind: str, context: object) -> str:
    return json.dumps([1, {"type": kind, "context": context, "children_spec": []}])


EVIL: list[dict[str, Any]] = [
    {"graph": {"nodes": [{"target": "torch.os.system"}]}},
    {"graph": {"nodes": [{"target": "torch.ops.aten.save.default"}]}},
    {"graph": {"nodes": [{"target": "_operator.methodcaller"}]}},
    {"graph": {"nodes": [{"target": "torch.ops.mine.anything"}]}},
    {"arg": {"as_operator": "torch.hub.load"}},
    {"size": {"expr_str": "__import__('os').system('true')"}},
    {"size": {"expr_str": "().__class__"}},
    {"size": {"expr_str": "s0.__class__"}},
    {"size": {"expr_str": "Symbol('a')(__import__)"}},
    {"graph": {"inputs": [{"as_tensor": {"name": "x=print(1)"}}]}},
    {"graph": {"inputs": [{"as_tensor": {"name": "x\n  import os"}}]}},
    {"graph": {"tensor_values": {"x=print(1)": {}}}},
    {"in_spec": _spec("collections.defaultdict", {"default_factory_module": "evil", "default_factory_name": "f"})},
    {"in_spec": _spec("builtins.dict", json.dumps({"__enum__": True, "fqn": "evil:E", "name": "A"}))},
    {"in_spec": _spec("builtins.dict", json.dumps(["a b=print(1)"]))},
    {"out_spec": "no json"},
]


@pytest.mark.parametrize("change", EVIL, ids=lambda change: json.dumps(change)[:50])
def test_exported_programs_that_could_run_code_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = exported(tmp_path / "m.pt2", program(**change))
    with pytest.raises(Refused, match="exported program holds"):
        convert(path, tmp_path / "out.onnx")


def test_compiled_code_and_pickled_objects_in_exported_programs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="compiled code"):
        sanitised(exported(tmp_path / "a.pt2", program(), {"data/aotinductor/model/x.so": b"\x7fELF"}))
    config = json.dumps({"config": {"w": {"path_name": "opaque_obj_0", "use_pickle": True}}})
    with pytest.raises(Refused, match="pickled object"):
        sanitised(exported(tmp_path / "b.pt2", program(), {"data/constants/model_constants_config.json": config}))


def test_a_long_size_is_judged_at_once(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", program(size={"expr_str": "1" * 20000 + "é"}))
    with pytest.raises(Refused):
        sanitised(path)


def test_an_entry_of_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", program())
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("top/models/model.json", "{}")
    with pytest.raises(ModelError, match="two entries of the same name"):
        sanitised(path)


def test_a_bomb_of_code_is_refused(tmp_path: Path) -> None:
    code = b"#" * (2**26 + 1)
    entries = {"constants.pkl": b"", "data.pkl": b"", "code/a.py": code}
    path = archive(tmp_path / "m.pt", entries, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match="unpacks to"):
        convert(path, tmp_path / "out.onnx")


@pytest.mark.parametrize("name", ["m.pt2", "m.skops", "m.safetensors", "m.json", "m.txt", "m.unknown"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"tree\nlearner", b"\x00" * 40])
def test_damaged_files_give_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((ModelError, MissingExtra)) as caught:
        convert(path, tmp_path / "out.onnx")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.onnx").exists()


def test_an_unknown_file_is_told_what_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(ModelError) as caught:
        convert(tmp_path / "notes.md", tmp_path / "out.onnx")
    assert all(framework.name in str(caught.value) for framework in frameworks().values())
    with pytest.raises(ModelError, match="no such file"):
        convert(tmp_path / "gone.pt2", tmp_path / "out.onnx")
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match="ONNX already"):
        convert(tmp_path / "m.onnx", tmp_path / "out.onnx")


def test_a_missing_package_is_told_with_the_line_that_installs_it() -> None:
    with pytest.raises(MissingExtra, match=r"no_such_package is not installed.*pip install 'onnxray\[jax\]'"):
        require("no_such_package.part", "jax")


def test_every_framework_names_itself_and_an_extra_that_exists() -> None:
    from configparser import ConfigParser

    config = ConfigParser()
    config.read(Path(__file__).parents[3] / "setup.cfg")
    for name, framework in frameworks().items():
        assert framework.name, name
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in framework.suffixes)
        assert not framework.extra or framework.extra in config["options.extras_require"], name
    assert np.unique([f.name for f in frameworks().values()]).size == len(frameworks())
