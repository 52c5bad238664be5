import contextlib
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnxray.converters import ModelError, open_model
from onnxray.converters.sources import ConversionOptions, Refused, convert, from_torch
from onnxray.converters.sources._archive import members, packed
from torch import nn

SHAPE = ConversionOptions(input_shape=(1, 3, 8, 8))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.last = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.last(torch.relu(self.norm(self.conv(x)))[:, :, ::2, ::2].flatten(1))
        return y


class Branching(nn.Module):
    """A branch on values, of which tracing sees one side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :3] * 2 if x.sum() > 0 else x[:, 1:4] - 7


@pytest.fixture
def net() -> Net:
    return Net().eval()


@pytest.fixture
def example() -> torch.Tensor:
    return torch.rand(2, 3, 8, 8)


def save_program(net: nn.Module, path: Path, example: torch.Tensor, free: bool = True) -> Path:
    pytest.importorskip("onnxscript")
    shapes = ({0: torch.export.Dim("batch")},) if free else None
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=shapes), path)
    return path


def same(net: nn.Module, path: Path) -> None:
    inputs = torch.rand(9, 3, 8, 8)
    with torch.no_grad():
        np.testing.assert_allclose(open_model(path).run(inputs.numpy()), net(inputs), atol=1e-5)


def test_exported_program_with_a_free_batch(net: Net, example: torch.Tensor, tmp_path: Path) -> None:
    summary = convert(save_program(net, tmp_path / "m.pt2", example), tmp_path / "m.onnx")
    assert summary.facts.input.shape == (None, 3, 8, 8)
    assert summary.parity is not None
    assert summary.parity.relative < 1e-5
    assert not summary.notes
    same(net, tmp_path / "m.onnx")


def test_exported_program_with_a_fixed_batch(net: Net, example: torch.Tensor, tmp_path: Path) -> None:
    path = save_program(net, tmp_path / "m.pt2", example, free=False)
    summary = convert(path, tmp_path / "m.onnx")
    assert "batch axis is fixed at 2" in summary.notes[0]
    same(net, tmp_path / "m.onnx")


def test_exported_program_with_a_computed_size_and_a_keyword(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")

    class Windows(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x.reshape(-1, 4) * torch.arange(4)).reshape(-1, 8)[:, :5] - 1

    shapes = {"x": {0: torch.export.Dim("batch")}}
    program = torch.export.export(Windows(), (), {"x": torch.rand(2, 8)}, dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "m.pt2")
    assert convert(tmp_path / "m.pt2", tmp_path / "m.onnx").facts.input.shape == (None, 8)


def test_a_source_is_opened_under_its_own_name(net: Net, example: torch.Tensor, tmp_path: Path) -> None:
    path = save_program(net, tmp_path / "m.pt2", example)
    before = path.read_bytes()
    model = open_model(path)
    assert model.path == str(path)
    assert model.facts.size_bytes == len(before)
    assert model.facts.converted.startswith("PyTorch exported program, by torch.onnx")
    assert pickle.loads(pickle.dumps(model)).facts.sha256 == model.facts.sha256
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.pt2"]
    same(net, path)


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("place", ["data/sample_inputs/model.pt", "data/weights/weight_0"])
def test_pickles_inside_an_exported_program_never_run(
    net: Net, example: torch.Tensor, tmp_path: Path, place: str
) -> None:
    path, mark, bomb = save_program(net, tmp_path / "m.pt2", example), tmp_path / "ran", io.BytesIO()
    torch.save(Bomb(mark), bomb)
    contents = {**members(path), place: bomb.getvalue()}
    config = json.loads(contents["data/weights/model_weights_config.json"])
    for payload in config["config"].values():
        payload["use_pickle"] |= place.endswith(payload["path_name"])
    contents["data/weights/model_weights_config.json"] = json.dumps(config).encode()
    path.write_bytes(packed(contents).getvalue())
    with pytest.raises(Refused, match="pickled objects"):
        convert(path, tmp_path / "m.onnx")
    assert not mark.exists()
    with contextlib.suppress(Exception):
        torch.export.load(path)  # what it would have done: this test can fail
    assert mark.exists()


@pytest.mark.parametrize("traced", [True, False])
def test_torchscript(net: Net, example: torch.Tensor, tmp_path: Path, traced: bool) -> None:
    script = torch.jit.trace(net, example) if traced else torch.jit.script(net)  # type: ignore[no-untyped-call]
    torch.jit.save(script, tmp_path / "m.pt")
    summary = convert(tmp_path / "m.pt", tmp_path / "m.onnx", SHAPE)
    assert summary.facts.input.shape == (None, 3, 8, 8)
    same(net, tmp_path / "m.onnx")


def test_torchscript_does_not_know_its_input(net: Net, tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(net), tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"--input-shape 1,3,224,224"):
        open_model(tmp_path / "m.pt")


def test_a_script_that_saves_is_refused(tmp_path: Path) -> None:
    class Saving(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.save(x, "/tmp/never-written")
            return x

    torch.jit.save(torch.jit.script(Saving()), tmp_path / "m.pt")
    with pytest.raises(Refused, match="'save'"):
        convert(tmp_path / "m.pt", tmp_path / "m.onnx", SHAPE)


def test_state_dicts_are_refused_in_both_of_torchs_formats(net: Net, tmp_path: Path) -> None:
    for new in (True, False):
        torch.save(net.state_dict(), tmp_path / "m.pth", _use_new_zipfile_serialization=new)
        with pytest.raises(Refused, match=r"torch\.save"):
            convert(tmp_path / "m.pth", tmp_path / "m.onnx")


def test_module_in_python(net: Net, example: torch.Tensor) -> None:
    pytest.importorskip("onnxscript")
    net.train()
    model = from_torch(net, example[:1], samples=np.random.default_rng(0).random((4, 3, 8, 8), np.float32))
    onnx.checker.check_model(model)
    assert net.training
    assert net.norm.training
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert "last.weight" in {tensor.name for tensor in model.graph.initializer}


def test_a_conversion_that_predicts_otherwise_writes_nothing() -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(ModelError, match=r"not faithful.*nothing was written"):
        from_torch(Branching(), torch.rand(1, 4))


def test_a_module_that_no_exporter_takes() -> None:
    pytest.importorskip("onnxscript")

    class Foreign(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("by\ndesign")

    with pytest.raises(ModelError, match=r"Foreign: torch.onnx cannot export it: by design; the newer exporter: by"):
        from_torch(Foreign(), torch.rand(1, 4))


def test_safetensors_with_a_timm_architecture(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    safetensors = pytest.importorskip("safetensors.torch")
    from onnxray.converters.torchvision_schema import import_torchvision

    import_torchvision()
    timm = pytest.importorskip("timm")
    path, out = tmp_path / "m.safetensors", tmp_path / "m.onnx"
    network = timm.create_model("test_resnet", num_classes=7).eval()
    safetensors.save_file(network.state_dict(), path)
    with pytest.raises(ModelError, match=r"--arch resnet18 --classes 10"):
        convert(path, out)
    with pytest.raises(ModelError, match="knows no architecture 'test_nonsense'; it has test_"):
        convert(path, out, ConversionOptions(arch="test_nonsense"))
    with pytest.raises(ModelError, match="not those of test_resnet with 3 classes"):
        convert(path, out, ConversionOptions(arch="test_resnet", classes=3))
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_resnet", "num_classes": 7}))
    summary = convert(path, out, ConversionOptions(input_shape=(1, 3, 64, 64)))
    assert summary.facts.classes == 7
    assert zipfile.is_zipfile(out) is False
