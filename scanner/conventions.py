"""The plausible ways in which a model may want its pixels."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Convention", "conventions"]


@dataclass(frozen=True)
class Convention:
    """An affine map of the channels: ``(x * scale - mean) / std`` for x in [0, 1].

    Attributes:
        name: in words, for reports.
        used_by: where it is found.
        scale: what a raw 1.0 becomes before mean and std; negative inverts.
        mean, std: one value, or one per channel in the model's channel order, in scaled units.
        bgr: whether the model wants blue first.
    """

    name: str
    used_by: str
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False

    @property
    def affine(self) -> tuple[object, ...]:
        """What it computes, whatever its name: channel order, gain and offset of each channel; equal maps are equal."""
        count = max(len(self.mean), len(self.std))
        means, stds = (v * (count // len(v)) for v in (self.mean, self.std))
        channels = [(round(self.scale / s, 6), round(-m / s, 6)) for m, s in zip(means, stds, strict=True)]
        return (self.bgr, *(channels if len(set(channels)) > 1 else channels[:1]))


_UNIT = Convention("[0, 1]", "torchvision's ToTensor, Keras' Rescaling")
_SYMMETRIC = Convention("[-1, 1]", "TensorFlow-Slim and Keras, transformers' ViT", mean=(0.5,), std=(0.5,))
_BYTES = Convention("[0, 255]", "models with the rescaling inside, early TensorFlow", scale=255.0)
_CENTRED = Convention("[-0.5, 0.5]", "attack and verification benchmarks", mean=(0.5,))
_SIGNED_BYTES = Convention("[-128, 127]", "quantised models", scale=255.0, mean=(128.0,))

_GREY = (
    _UNIT,
    Convention("MNIST mean and std", "PyTorch's MNIST example", mean=(0.1307,), std=(0.3081,)),
    _SYMMETRIC,
    _BYTES,
    Convention("Fashion-MNIST mean and std", "PyTorch tutorials", mean=(0.2860,), std=(0.3530,)),
    _CENTRED,
    Convention("inverted [0, 1]", "models of dark strokes on white", scale=-1.0, mean=(-1.0,)),
    Convention("inverted [0, 255]", "models of dark strokes on white", scale=-255.0, mean=(-255.0,)),
)

_IMAGENET = (0.485, 0.456, 0.406)
_CIFAR10 = (0.4914, 0.4822, 0.4465)
_CAFFE = (103.939, 116.779, 123.68)  # blue, green, red
_OF_PHOTOS = Convention(
    "ImageNet mean and std", "torchvision, timm, transformers", 1.0, _IMAGENET, (0.229, 0.224, 0.225)
)
_OF_CIFAR = Convention("CIFAR-10 mean and std", "PyTorch CIFAR-10 code", 1.0, _CIFAR10, (0.2023, 0.1994, 0.2010))
_COLOUR = (
    _SYMMETRIC,
    Convention("CIFAR-10 mean and true std", "PyTorch CIFAR-10 code", 1.0, _CIFAR10, (0.2470, 0.2435, 0.2616)),
    _BYTES,
    Convention("CIFAR-100 mean and std", "CIFAR-100 code", 1.0, (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    Convention("GTSRB mean and std", "traffic-sign code", 1.0, (0.3337, 0.3064, 0.3171), (0.2672, 0.2564, 0.2629)),
    Convention("ImageNet mean, std 0.225", "verification benchmarks", 1.0, _IMAGENET, (0.225,)),
    Convention("CLIP mean and std", "CLIP image towers", 1.0, (0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)),
    _CENTRED,
    Convention("BGR 0..255 minus the ImageNet mean", "Caffe, Keras' VGG and ResNet", 255.0, _CAFFE, bgr=True),
    Convention("0..255 minus the ImageNet mean", "RGB ports of Caffe models", 255.0, _CAFFE[::-1]),
    Convention("BGR [0, 1]", "models fed by OpenCV", bgr=True),
    Convention("BGR [0, 255]", "models fed by OpenCV", 255.0, bgr=True),
    Convention("BGR [-1, 1]", "models fed by OpenCV", 1.0, (0.5,), (0.5,), bgr=True),
)
_PHOTO_SIDE = 64


def conventions(channels: int, dtype: str, side: int) -> tuple[Convention, ...]:
    """The candidates for a model, the most common first: where two do equally well, the earlier is kept.

    Integer inputs take raw bytes and nothing else: 0..255, or -128..127 where the type is int8.

    Args:
        channels: 1 or 3.
        dtype: of the input, a numpy name.
        side: of its pictures in pixels; from 64 on ImageNet's figures come before those of CIFAR-10.
    """
    known = (_OF_PHOTOS, _OF_CIFAR) if side >= _PHOTO_SIDE else (_OF_CIFAR, _OF_PHOTOS)
    table = _GREY if channels == 1 else (_UNIT, *known, *_COLOUR)
    if dtype == "int8":
        return (_SIGNED_BYTES,)
    if dtype.startswith(("int", "uint")):
        return tuple(c for c in table if c.scale == 255.0 and c.mean == (0.0,))
    return table
