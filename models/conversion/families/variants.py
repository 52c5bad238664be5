"""What deployment makes of a network: quantised, in half precision, optimised by onnxruntime, in other opsets."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from . import Recipe
from .timm import export

BASES = ("resnet18", "mobilenetv3_small_050")
TRANSFORMER = "vit_tiny_patch16_224"
_SIZE = 64


def models() -> Iterator[tuple[str, Recipe]]:
    """Every variant of each base network."""
    for base in (*BASES, TRANSFORMER):
        for name, make in _variants():
            yield f"{base}-{name}", partial(_save, base, make)
        for opset in range(9, 21) if base != TRANSFORMER else range(14, 21):
            yield f"{base}-opset{opset}", partial(_at_opset, base, opset)


def _variants() -> Iterator[tuple[str, Callable[[str, str], None]]]:
    from onnxruntime.quantization import QuantFormat, QuantType

    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        for kind in (QuantType.QUInt8, QuantType.QInt8):
            for per_channel in (False, True):
                name = f"{form.name.lower()}-{kind.name.lower()}{'-per-channel' if per_channel else ''}"
                yield name, partial(_static, quant_format=form, activation_type=kind, weight_type=QuantType.QInt8,
                                    per_channel=per_channel)  # fmt: skip
    yield "qdq-qint16", partial(_static, quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt16)
    yield "dynamic-quint8", partial(_dynamic, QuantType.QUInt8)
    yield "dynamic-qint8", partial(_dynamic, QuantType.QInt8)
    for level in ("basic", "extended", "all"):
        yield f"optimised-{level}", partial(_optimised, level)
    yield "fp16", partial(_half, False)
    yield "fp16-float-io", partial(_half, True)
    yield "matmul-4-bits", _four_bits


@cache
def _base(name: str) -> bytes:
    """The network in float32, opset 17."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "base.onnx")
        export(name, {"img_size": _SIZE} if name == TRANSFORMER else {}, False, 17, str(path))
        return path.read_bytes()


def _save(base: str, make: Callable[[str, str], None], path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "base.onnx")
        source.write_bytes(_base(base))
        make(str(source), path)


def _at_opset(base: str, opset: int, path: str) -> None:
    export(base, {"img_size": _SIZE} if base == TRANSFORMER else {}, False, opset, path)


class _Calibration:
    """Sixteen noise pictures, one by one."""

    def __init__(self) -> None:
        pictures = np.random.default_rng(0).random((16, 1, 3, _SIZE, _SIZE), np.float32)
        self._left = iter([{"x": picture} for picture in pictures])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


def _static(source: str, path: str, **options: Any) -> None:
    from onnxruntime.quantization import quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = f"{source}.prepared"
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, path, _Calibration(), **options)


def _dynamic(kind: Any, source: str, path: str) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(source, path, weight_type=kind)


def _optimised(level: str, source: str, path: str) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level.upper()}")
    options.optimized_model_filepath = path
    options.log_severity_level = 4
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _half(keep_io_types: bool, source: str, path: str) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=keep_io_types), path)


def _four_bits(source: str, path: str) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=True)
    quantizer.process()
    onnx.save(quantizer.model.model, path)
