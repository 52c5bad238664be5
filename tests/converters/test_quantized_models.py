"""Whole models in every quantised, half-precision and optimised form that onnxruntime's own tools write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxray.converters import TwinError, open_model, operators
from onnxray.converters.parity import FLOAT, HALF, QUANTIZED, ROUNDED_WEIGHTS, Tolerance, tolerance_for

quantization = pytest.importorskip("onnxruntime.quantization")
RNG = np.random.default_rng(0)
PICTURES = RNG.random((24, 3, 12, 12), np.float32)
KERNELS = {"w1": (20, 3, 3, 3), "w2": (20, 20, 3, 3), "w3": (20, 1, 3, 3), "w4": (16, 20, 1, 1)}
NODES: list[tuple[str, list[str], str, dict[str, Any]]] = [
    ("Conv", ["x", "w1", "b1"], "c1", {"pads": [1] * 4}),
    ("Relu", ["c1"], "r1", {}),
    ("MaxPool", ["r1"], "p1", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Conv", ["p1", "w2", "b2"], "c2", {"pads": [1] * 4}),
    ("BatchNormalization", ["c2", "gamma", "beta", "mean", "var"], "n2", {}),
    ("Add", ["n2", "p1"], "a2", {}),
    ("Relu", ["a2"], "r2", {}),
    ("Conv", ["r2", "w3"], "c3", {"group": 20, "pads": [1] * 4}),
    ("LeakyRelu", ["c3"], "l3", {"alpha": 0.1}),
    ("Conv", ["l3", "w4"], "c4", {}),
    ("Sigmoid", ["c4"], "s4", {}),
    ("Mul", ["c4", "s4"], "m4", {}),
    ("AveragePool", ["m4"], "p4", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("GlobalAveragePool", ["p4"], "g4", {}),
    ("Flatten", ["g4"], "f4", {}),
    ("MatMul", ["f4", "w5"], "d5", {}),
    ("Add", ["d5", "b5"], "e5", {}),
    ("Relu", ["e5"], "r5", {}),
    ("Gemm", ["r5", "w6", "b6"], "y", {"transB": 1}),
]


class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        self._rows: Iterator[NDArray[np.float32]] = iter(PICTURES[:2, None])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        row = next(self._rows, None)
        return None if row is None else {"x": row}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A residual network of all that is usual in one, with random weights that keep the values' scale."""
    shapes = {**KERNELS, "b1": (20,), "b2": (20,), "w5": (16, 32), "b5": (32,), "w6": (10, 32), "b6": (10,)}
    arrays = {n: RNG.normal(0, (2 / max(prod(s[1:]), 1)) ** 0.5, s) for n, s in shapes.items()}
    arrays |= {n: RNG.uniform(0.5, 1.5, 20) for n in ("gamma", "beta", "mean", "var")}
    weights = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in arrays.items()]
    nodes = [helper.make_node(kind, inputs, [output], output, **rest) for kind, inputs, output, rest in NODES]
    infos = [helper.make_tensor_value_info("x", 1, ["N", 3, 12, 12]), helper.make_tensor_value_info("y", 1, ["N", 10])]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("network") / "network.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def static(form: str, activation: str, weight: str, **rest: Any) -> Callable[[Path, Path], None]:
    kinds = {"activation_type": quantization.QuantType[activation], "weight_type": quantization.QuantType[weight]}
    return lambda source, target: quantization.quantize_static(
        source, target, Calibration(), quant_format=quantization.QuantFormat[form], **kinds, **rest
    )


def dynamic(weight: str, **rest: Any) -> Callable[[Path, Path], None]:
    kind = quantization.QuantType[weight]
    return lambda source, target: quantization.quantize_dynamic(source, target, weight_type=kind, **rest)


def few_bits(bits: int, **rest: Any) -> Callable[[Path, Path], None]:
    def write(source: Path, target: Path) -> None:
        module = pytest.importorskip("onnxruntime.quantization.matmul_nbits_quantizer")
        quantizer = module.MatMulNBitsQuantizer(onnx.load(source), bits=bits, block_size=16, **rest)
        quantizer.process()
        quantizer.model.save_model_to_file(str(target))

    return write


def few_bits_dequantized(source: Path, target: Path) -> None:
    module = pytest.importorskip("onnxruntime.quantization.matmul_nbits_quantizer")
    form = quantization.QuantFormat.QDQ
    config = module.DefaultWeightOnlyQuantConfig(block_size=16, is_symmetric=True, quant_format=form)
    quantizer = module.MatMulNBitsQuantizer(onnx.load(source), algo_config=config)
    quantizer.process()
    quantizer.model.save_model_to_file(str(target))


def half(**rest: Any) -> Callable[[Path, Path], None]:
    def write(source: Path, target: Path) -> None:
        module = pytest.importorskip("onnxruntime.transformers.float16")
        onnx.save(module.convert_float_to_float16(onnx.load(source), **rest), target)

    return write


VARIANTS: dict[str, tuple[Callable[[Path, Path], None], Tolerance]] = {
    "QDQ, uint8": (static("QDQ", "QUInt8", "QUInt8"), QUANTIZED),
    "QDQ, int8 by channel": (static("QDQ", "QInt8", "QInt8", per_channel=True), QUANTIZED),
    "QDQ, int16": (static("QDQ", "QInt16", "QInt8", extra_options={"UseQDQContribOps": True}), QUANTIZED),
    "QDQ, uint16": (static("QDQ", "QUInt16", "QUInt8", extra_options={"UseQDQContribOps": True}), QUANTIZED),
    "QDQ, symmetric": (static("QDQ", "QInt8", "QInt8", extra_options={"ActivationSymmetric": True}), QUANTIZED),
    "QOperator, uint8": (static("QOperator", "QUInt8", "QUInt8"), QUANTIZED),
    "QOperator, int8 by channel": (static("QOperator", "QInt8", "QInt8", per_channel=True), QUANTIZED),
    "dynamic, uint8": (dynamic("QUInt8"), QUANTIZED),
    "dynamic, int8 by channel": (dynamic("QInt8", per_channel=True, reduce_range=True), QUANTIZED),
    "4 bits": (few_bits(4, is_symmetric=True), FLOAT),
    "4 bits with zero points": (few_bits(4, is_symmetric=False), FLOAT),
    "8 bits": (few_bits(8), FLOAT),
    "4 bits, computed in int8": (few_bits(4, accuracy_level=4), QUANTIZED),
    "4 bits, QDQ": (few_bits_dequantized, ROUNDED_WEIGHTS),
    "float16": (half(), HALF),
    "float16, inputs kept": (half(keep_io_types=True), HALF),
}
LEVELS = ("ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
OPTIMISED = ("plain", "QDQ, uint8", "QOperator, int8 by channel", "dynamic, int8 by channel", "4 bits", "float16")


def optimised(source: Path, level: str) -> Path:
    """The graph as onnxruntime saves it after its own optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(source.with_suffix(f".{level}.onnx"))
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return Path(options.optimized_model_filepath)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_becomes_a_twin(variant: str, network: Path, tmp_path: Path) -> None:
    write, tolerance = VARIANTS[variant]
    write(network, tmp_path / "variant.onnx")
    model = open_model(tmp_path / "variant.onnx")
    assert tolerance_for(model.graph) == tolerance
    parity = model.build_twin(PICTURES)
    assert parity.relative <= parity.tolerance <= max(tolerance.relative, tolerance.limit)
    assert parity.agreement >= tolerance.agreement


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("variant", OPTIMISED)
def test_a_graph_that_onnxruntime_optimised_becomes_a_twin(
    variant: str, level: str, network: Path, tmp_path: Path
) -> None:
    source = tmp_path / "variant.onnx"
    if variant == "plain":
        source.write_bytes(network.read_bytes())
    else:
        VARIANTS[variant][0](network, source)
    assert open_model(optimised(source, level)).build_twin(PICTURES).agreement >= QUANTIZED.agreement


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("variant", ["QDQ, uint8", "4 bits, QDQ"])
def test_a_wrong_twin_of_a_quantised_model_is_refused(
    variant: str, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    VARIANTS[variant][0](network, tmp_path / "variant.onnx")
    relu = operators.find("", "LeakyRelu", 17)
    assert relu
    monkeypatch.setitem(operators._TABLE, ("", "LeakyRelu"), {1: replace(relu, function=lambda x, *, alpha: x.abs())})
    with pytest.raises(TwinError, match="differs from onnxruntime"):
        open_model(tmp_path / "variant.onnx").build_twin(PICTURES)
