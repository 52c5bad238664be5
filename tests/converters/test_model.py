import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnxray.converters import ModelError, TwinError, open_model, operators

Build = Callable[..., Path]
SUSPECTS = Path(__file__).parents[3] / "shared" / "suspects" / "labelled"
DATA = Path(__file__).parents[3] / "shared" / "data" / "mnist.npz"

CONVOLUTION = (
    "c = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>({0}, k)  r = Relu(c)  f = Flatten(r)  z = MatMul(f, w)"
)
NETWORKS = {
    "convolution": (
        "(float[N,1,4,4] x) => (float[N,3] y) { " + CONVOLUTION.format("x") + "  y = Softmax(z) }",
        (1, 4, 4),
    ),
    "channels last": (
        "(float[N,4,4,1] x) => (float[N,3] y) { t = Transpose<perm = [0, 3, 1, 2]>(x)  "
        + CONVOLUTION.format("t")
        + "  y = LogSoftmax(z) }",
        (4, 4, 1),
    ),
    "bytes": (
        "(uint8[N,4,4,1] x) => (float[N,3] y) { g = Cast<to = 1>(x)  h = Mul(g, scale)  "
        "t = Transpose<perm = [0, 3, 1, 2]>(h)  " + CONVOLUTION.format("t") + "  y = Softmax(z) }",
        (4, 4, 1),
    ),
    "batch of one": (
        "(float[1,1,4,4] x) => (float[1,3] y) { " + CONVOLUTION.format("x") + "  y = Sigmoid(z) }",
        (1, 4, 4),
    ),
}


@pytest.mark.parametrize(("text", "shape"), NETWORKS.values(), ids=NETWORKS)
def test_the_twin_gives_the_logits_of_the_file(build: Build, text: str, shape: tuple[int, ...]) -> None:
    model = open_model(build(text, k=(2, 1, 3, 3), w=(32, 3), scale=np.array(1 / 255, np.float32)))
    x = np.random.default_rng(0).integers(0, 256, (7, *shape)).astype(np.float32)
    x /= np.float32(1 if model.facts.input.dtype == "uint8" else 255)
    model.build_twin(x)
    logits = model.torch(torch.from_numpy(x))
    assert logits.shape == (7, 3)
    np.testing.assert_array_equal(logits.argmax(1).numpy(), model.predict(x))
    head = {"Softmax": torch.softmax, "LogSoftmax": torch.log_softmax, "Sigmoid": lambda z, axis: torch.sigmoid(z)}
    np.testing.assert_allclose(head[model.facts.head[0]](logits, 1).numpy(), model.run(x), atol=1e-5)


def test_half_precision_has_a_twin_in_single_precision(build: Build) -> None:
    text = "(float16[N,16] x) => (float16[N,3] y) { a = MatMul(x, w)  b = Relu(a)  y = MatMul(b, v) }"
    rng = np.random.default_rng(0)
    w, v = rng.standard_normal((16, 32)).astype(np.float16), rng.standard_normal((32, 3)).astype(np.float16)
    model = open_model(build(text, w=w, v=v))
    x = rng.random((5, 16), dtype=np.float32)
    assert model.build_twin(x).agreement == 1
    assert model.torch(torch.from_numpy(x)).dtype == torch.float32


def test_a_twin_has_to_be_built_first(linear: Path) -> None:
    with pytest.raises(TwinError, match="call build_twin"):
        _ = open_model(linear).torch


def test_operators_without_a_twin_are_all_named(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Hardmax", "Shrink"):
        assert operators.find("", name, 17)
        monkeypatch.delitem(operators._TABLE, ("", name))
    path = build("(float[N,4] x) => (float[N,4] y) { a = Shrink(x)  b = Hardmax(a)  y = Shrink(b) }")
    with pytest.raises(TwinError, match=r"not supported: Hardmax \(opset 17\), Shrink \(opset 17\)$"):
        open_model(path).build_twin(np.zeros((1, 4), np.float32))


def test_pickle_opens_the_same_file_again(linear: Path) -> None:
    model = open_model(linear, max_bytes=10_000)
    content = pickle.dumps(model)
    assert len(content) < 1000
    again = pickle.loads(content)
    assert again.facts == model.facts
    linear.write_bytes(linear.read_bytes() + b"\x00")
    with pytest.raises(ModelError, match=r"not ONNX|has changed"):
        pickle.loads(content)


def test_pickle_notices_changed_weights(build: Build, linear: Path) -> None:
    content = pickle.dumps(open_model(linear))
    build("(float[N,1,4,4] x) => (float[N,3] y) { f = Flatten(x)  y = MatMul(f, v) }", v=(16, 3))
    with pytest.raises(ModelError, match="has changed since it was opened"):
        pickle.loads(content)


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import onnxray.converters", ["torch", "onnxruntime", "onnx", "sklearn"]),
        ("from onnxray.converters import open_model; open_model({path!r})", ["torch", "onnxruntime", "sklearn"]),
        ("from onnxray.converters import open_model; open_model({path!r}).provider", ["torch", "sklearn"]),
    ],
)
def test_heavy_libraries_wait_until_they_are_needed(linear: Path, code: str, absent: list[str]) -> None:
    check = f"{code.format(path=str(linear))}; import sys; print([n for n in {absent} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_building_a_twin_prints_nothing(linear: Path) -> None:
    code = (
        "import numpy as np; from onnxray.converters import open_model; "
        f"open_model({str(linear)!r}).build_twin(np.ones((2, 1, 4, 4), np.float32))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.skipif(not SUSPECTS.is_dir(), reason="the third-party models are not beside this checkout")
@pytest.mark.parametrize("path", sorted(SUSPECTS.glob("*.onnx")), ids=lambda path: path.stem)
def test_third_party_classifiers_have_a_faithful_twin(path: Path) -> None:
    model = open_model(path)
    shape = [size or 32 for size in model.facts.input.shape[1:]]
    real = np.random.default_rng(0).random((40, *shape), dtype=np.float32)
    if sorted(shape) == [1, 28, 28] and DATA.is_file():  # int8 networks are calibrated for real images
        real = (np.load(DATA)["x_test"][:40].reshape(real.shape) / 255).astype(np.float32)
    parity = model.build_twin(real)
    assert parity.agreement == 1
    assert parity.relative < (0.05 if "quantized" in path.stem else 1e-5)
