"""Image classifiers of PaddlePaddle's own collection, seeded weights, through paddle2onnx."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ....converters.sources import convert
from . import Recipe

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "LeNet": {"shape": (1, 28, 28)}, "resnet18": {}, "mobilenet_v1": {}, "mobilenet_v2": {}, "mobilenet_v3_small": {},
    "shufflenet_v2_x0_25": {}, "squeezenet1_1": {}, "densenet121": {},
}  # fmt: skip
CLASSES = 10


def models() -> Iterator[tuple[str, Recipe]]:
    """Every network once."""
    for name, options in ARCHITECTURES.items():
        yield name.lower(), partial(_export, name, options.get("shape", (3, 64, 64)))


def _export(name: str, shape: tuple[int, ...], path: str) -> None:
    import paddle

    paddle.seed(0)
    network = getattr(paddle.vision.models, name)(num_classes=CLASSES)
    network.eval()
    _wake(network)
    with tempfile.TemporaryDirectory() as folder:
        spec = paddle.static.InputSpec([None, *shape], "float32")
        paddle.jit.save(network, str(Path(folder) / "model"), input_spec=[spec])
        convert(Path(folder) / "model.json", path)


def _wake(network: Any) -> None:
    """Move vectors off their start, where a swapped or forgotten parameter changes nothing."""
    import paddle

    for value in network.state_dict().values():
        if value.ndim == 1:
            value.set_value(value + 0.1 * paddle.rand(value.shape))
