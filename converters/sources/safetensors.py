"""Safetensors: weights alone, with the name of a timm architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..messages import one_line
from . import ConversionOptions, Converted, Framework, require

if TYPE_CHECKING:
    import torch
    from torch import nn

_SHOWN = 3


class Safetensors(Framework):
    """Weights in safetensors; the network comes from timm, by `--arch` or by the config.json of the same folder."""

    name = "safetensors file of a timm architecture"
    suffixes = (".safetensors",)
    extra = "timm"

    def recognises(self, path: Path) -> bool:
        """By the suffix."""
        return path.suffix.lower() == ".safetensors" and path.is_file()

    def convert(self, path: Path, options: ConversionOptions) -> Converted:
        """Build the network, load the weights strictly, export it."""
        beside = _config(path)
        arch = options.arch or beside.get("architecture")
        if not isinstance(arch, str):
            raise ModelError(
                f"{path}: holds weights without a network; name timm's, as in "
                f"`onnxray convert {path} --arch resnet18 --classes 10 -o model.onnx`"
            )
        weights = _weights(path, self.extra)
        from ..torchvision_schema import import_torchvision
        from ._torch import converted_module

        import_torchvision()  # which timm imports
        timm = require("timm", self.extra)

        classes = options.classes or _classes(beside) or _rows_of_last(weights)
        network = _network(timm, path, arch, classes, weights)
        return converted_module(network, _example(network, options), str(path))


def _config(path: Path) -> dict[str, Any]:
    """The config.json that model hubs put beside the weights; {} without one."""
    try:
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _classes(config: dict[str, Any]) -> int | None:
    value = config.get("num_classes")
    return value if isinstance(value, int) and value > 0 else None


def _weights(path: Path, extra: str) -> dict[str, torch.Tensor]:
    load_file = require("safetensors.torch", extra).load_file
    try:
        weights: dict[str, torch.Tensor] = load_file(path)
    except Exception as error:  # noqa: BLE001 - its exceptions share no base class
        raise ModelError(f"{path}: not readable as safetensors: {one_line(error, 160)}") from None
    return weights


def _rows_of_last(weights: dict[str, torch.Tensor]) -> int | None:
    """Rows of timm's usual last layers."""
    for name in ("fc", "head", "classifier", "head.fc", "head.l"):
        if (weight := weights.get(f"{name}.weight")) is not None:
            return int(weight.shape[0])
    return None


def _network(timm: Any, path: Path, arch: str, classes: int | None, weights: dict[str, torch.Tensor]) -> nn.Module:
    if not timm.is_model(arch):
        similar = ", ".join(timm.list_models(f"*{arch.split('_')[0][:8]}*")[:_SHOWN])
        raise ModelError(
            f"timm {timm.__version__} knows no architecture {one_line(arch, 60)!r}"
            f"{'; it has ' + similar if similar else ''}; see timm.list_models()"
        )
    network: nn.Module = timm.create_model(arch, pretrained=False, **({"num_classes": classes} if classes else {}))
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise ModelError(
            f"{path}: the weights are not those of {arch} with {classes or 'its usual'} classes; check --arch and "
            f"--classes ({one_line(error, 200)})"
        ) from None
    return network.float().eval()


def _example(network: Any, options: ConversionOptions) -> torch.Tensor:
    import torch

    shape = options.input_shape[1:] if options.input_shape else network.default_cfg["input_size"]
    return torch.zeros((2, *shape))
