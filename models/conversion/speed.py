"""How fast a twin is beside the torch network that it came from: python -m onnxray.models.conversion.speed."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rich_click as click
import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from ...converters import open_model
from ...converters.torchvision_schema import import_torchvision
from ..speed.timing import Spread, clock_for, interleaved, ratios

__all__ = ["NETWORKS", "TwinSpeed", "twin_speed"]

NETWORKS = ("resnet18", "mobilenet_v2", "densenet121", "vgg11_bn", "shufflenet_v2_x0_5", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "vit_b_32")  # fmt: skip  # noqa: E501
_FIXED_SIZE = ("vgg11_bn", "vit_b_32")  # take no other than 224
_CLASSES = 10


@dataclass(frozen=True)
class TwinSpeed:
    """Time of the twin over that of the native network, both in evaluation mode with weights frozen.

    Attributes:
        network: its name.
        forward: without a gradient.
        both: forward, and the gradient at the input.
    """

    network: str
    forward: Spread
    both: Spread


def twin_speed(name: str, batch: int, size: int, rounds: int, device: str = "cpu") -> TwinSpeed:
    """Export a seeded torchvision network, convert it back, and time both side by side.

    Args:
        name: of the network in torchvision.models.
        batch: pictures in a pass.
        size: their side.
        rounds: how often each is timed.
        device: where both run.
    """
    native = _native(name)
    images = torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    twin = _twin(native, images, device)
    native, images = native.to(device), images.to(device)
    clock = clock_for(device)
    forward = interleaved({"native": _forward(native, images), "twin": _forward(twin, images)}, rounds, clock=clock)
    both = interleaved({"native": _gradient(native, images), "twin": _gradient(twin, images)}, rounds, clock=clock)
    return TwinSpeed(name, *(ratios(seconds, "native")["twin"] for seconds in (forward, both)))


def _native(name: str) -> nn.Module:
    import_torchvision()
    from torchvision import models

    torch.manual_seed(0)
    network: nn.Module = getattr(models, name)(weights=None, num_classes=_CLASSES)
    for value in network.parameters():
        if not value.any():  # some heads begin as zeros: nothing would depend on the picture
            torch.nn.init.normal_(value, std=0.02)
    return network.eval().requires_grad_(False)


def _twin(native: nn.Module, images: Tensor, device: str) -> nn.Module:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.mha.set_fastpath_enabled(False)  # a kernel of torch's own, which has no ONNX operator
        path = Path(folder) / "model.onnx"
        axes = {"x": {0: "N"}, "y": {0: "N"}}
        torch.onnx.export(
            native, (images[:2],), str(path), dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes
        )
        torch.backends.mha.set_fastpath_enabled(True)
        model = open_model(path)
        model.build_twin(np.asarray(images[:2]), device)
    return model.torch


def _forward(network: nn.Module, images: Tensor) -> Callable[[], Any]:
    def run() -> None:
        with torch.no_grad():
            network(images)

    return run


def _gradient(network: nn.Module, images: Tensor) -> Callable[[], Any]:
    def run() -> None:
        x = images.clone().requires_grad_()
        torch.autograd.grad(network(x).logsumexp(1).sum(), x)

    return run


@click.command()
@click.argument("networks", nargs=-1)
@click.option("--batch", default=8, show_default=True, help="Pictures in a pass.")
@click.option("--size", default=96, show_default=True, help="Their side in pixels, where the network leaves it open.")
@click.option("--rounds", default=9, show_default=True, help="How often each is timed.")
@click.option("--device", default="cpu", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON file that gets the ratios.")
def main(networks: tuple[str, ...], batch: int, size: int, rounds: int, device: str, output: Path | None) -> None:
    """Print the time of the twin as a multiple of the native network's, for NETWORKS of torchvision."""
    found = [twin_speed(n, batch, 224 if n in _FIXED_SIZE else size, rounds, device) for n in networks or NETWORKS]
    table = Table("network", "forward", "forward and gradient", title="Twin / native torch, median (quartiles)",
                  title_justify="left", box=SIMPLE)  # fmt: skip
    for speed in found:
        table.add_row(speed.network, _cell(speed.forward), _cell(speed.both))
    Console(width=100).print(table)
    if output:
        output.write_text(json.dumps([asdict(speed) for speed in found], indent=1) + "\n", encoding="utf-8")


def _cell(value: Spread) -> str:
    return f"{value.median:.2f} ({value.low:.2f} to {value.high:.2f})"


if __name__ == "__main__":
    main()
