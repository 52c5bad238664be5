"""Image classifiers of timm, seeded weights, through both of torch's exporters."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from ....converters.torchvision_schema import import_torchvision
from . import Recipe

# One network of each idea: residual, depthwise, squeeze-excite, dense, attention, mixers, unusual pools and activations.  # noqa: E501
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "resnet18": {}, "resnet26d": {}, "resnetv2_50x1_bit": {}, "resnext26ts": {}, "seresnext26d_32x4d": {}, "res2net50_14w_8s": {},  # noqa: E501
    "skresnet18": {}, "wide_resnet50_2": {}, "mobilenetv2_050": {}, "mobilenetv3_small_050": {}, "mobilenetv4_conv_small_035": {},  # noqa: E501
    "efficientnet_b0": {}, "tf_efficientnet_lite0": {}, "mnasnet_small": {}, "fbnetc_100": {}, "ghostnet_050": {}, "hardcorenas_a": {},  # noqa: E501
    "regnetx_002": {}, "regnety_002": {}, "repvgg_a0": {}, "rexnetr_200": {}, "densenet121": {}, "vgg11": {}, "vgg11_bn": {}, "inception_v3": {"size": 96},  # noqa: E501
    "xception41p": {}, "dpn48b": {}, "dla34": {}, "cspresnet50": {}, "vovnet39a": {}, "ese_vovnet19b_dw": {}, "selecsls42": {}, "hrnet_w18_small": {},  # noqa: E501
    "nfnet_l0": {}, "convnext_atto": {}, "convnextv2_atto": {}, "edgenext_xx_small": {}, "mobileone_s0": {}, "fastvit_t8": {},  # noqa: E501
    "vit_tiny_patch16_224": {"img_size": 64}, "deit_tiny_patch16_224": {"img_size": 64}, "swin_tiny_patch4_window7_224": {"size": 224},  # noqa: E501
    "mixer_s32_224": {"img_size": 64}, "gmixer_24_224": {"img_size": 64}, "resmlp_12_224": {"img_size": 64}, "poolformer_s12": {}, "pit_ti_224": {"size": 224},  # noqa: E501
    "levit_128s": {"size": 224}, "cait_xxs24_224": {"img_size": 64}, "coat_tiny": {"size": 224}, "crossvit_tiny_240": {"size": 240},  # noqa: E501
    "mobilevit_xxs": {}, "maxvit_rmlp_pico_rw_256": {"size": 256}, "efficientformer_l1": {"size": 224}, "beit_base_patch16_224": {"img_size": 64, "depth": 2},  # noqa: E501
    "sequencer2d_s": {"size": 224}, "focalnet_tiny_srf": {}, "davit_tiny": {}, "inception_next_tiny": {}, "tiny_vit_5m_224": {"size": 224},  # noqa: E501
}  # fmt: skip
SIZE, CLASSES = 64, 10


def models() -> Iterator[tuple[str, Recipe]]:
    """Every architecture twice; the TorchScript exporter at opsets 13 to 20 in turn."""
    for number, (name, options) in enumerate(ARCHITECTURES.items()):
        yield f"{name}-script-opset{13 + number % 8}", partial(export, name, options, False, 13 + number % 8)
        yield f"{name}-dynamo", partial(export, name, options, True, None)


def export(name: str, options: dict[str, Any], dynamo: bool, opset: int | None, path: str) -> None:
    """Write one network with torch's own exporter; its input is "x", (N, 3, size, size), its output "y", (N, 10)."""
    import_torchvision()  # timm imports it
    import timm

    torch.manual_seed(0)
    options = dict(options)
    size = options.pop("size", options.get("img_size", SIZE))
    network = timm.create_model(name, pretrained=False, num_classes=CLASSES, **options).eval()
    _wake(network)
    example = torch.rand(2, 3, size, size)
    axes: dict[str, Any] = (
        {"dynamic_shapes": ({0: torch.export.Dim("N")},)}
        if dynamo
        else {"dynamic_axes": {"x": {0: "N"}, "y": {0: "N"}}}
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            network, (example,), path, dynamo=dynamo, input_names=["x"], output_names=["y"], opset_version=opset,
            external_data=False, **axes,
        )  # fmt: skip


def _wake(network: torch.nn.Module) -> None:
    """Move normalisation and layer scales off their start, where a swapped or forgotten parameter changes nothing."""
    generator = torch.Generator().manual_seed(1)
    for name, value in [*network.named_parameters(), *network.named_buffers()]:
        if value.is_floating_point() and value.ndim == 1:
            noise = torch.rand(value.shape, generator=generator)
            value.data.add_(0.1 * noise if "var" in name or "weight" in name else 0.1 * (noise - 0.5))
        elif value.is_floating_point() and not value.any():  # some heads begin as zeros, and answer nothing
            value.data.copy_(0.05 * torch.randn(value.shape, generator=generator))
