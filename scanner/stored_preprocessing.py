"""Preprocessing and class names that were stored beside a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from ..converters.messages import one_line
from .conventions import Convention
from .errors import SamplesError
from .fitting import Fit

__all__ = ["CONFIGURATIONS", "Stored", "stored_files", "stored_names", "stored_preprocessing"]

_LIMIT = 1 << 20
LABELS = ("labels.txt", "classes.txt")
CONFIGURATIONS = ("preprocessor_config.json", "config.json", *LABELS)
_BICUBIC = 3  # PIL's number, as transformers writes it
Contents = TypeVar("Contents")
Numbers = float | list[float]
Size = int | list[int] | dict[str, int | None]


@dataclass(frozen=True)
class Stored:
    """What a file beside the model says about its input; ``size`` is (H, W)."""

    file: str
    convention: Convention
    fit: Fit
    size: tuple[int, int] | None

    def for_channels(self, channels: int) -> Convention | None:
        """The convention for 1 or 3 channels; None where the model is grey and the figures differ by colour."""
        mean, std = self.convention.mean, self.convention.std
        if channels == 3:
            return self.convention
        grey = len(set(mean)) == len(set(std)) == 1
        return replace(self.convention, mean=mean[:1], std=std[:1], bgr=False) if grey else None


@dataclass(frozen=True)
class _Processor:
    """The keys of transformers' ``preprocessor_config.json`` that matter here."""

    do_rescale: bool | None = True
    rescale_factor: float | None = None
    do_normalize: bool | None = True
    do_center_crop: bool | None = False
    do_flip_channel_order: bool | None = False
    image_mean: Numbers | None = None
    image_std: Numbers | None = None
    size: Size | None = None
    crop_size: Size | None = None
    crop_pct: float | None = None
    resample: int | str | None = None


@dataclass(frozen=True)
class _Pretrained:
    """The keys of timm's ``pretrained_cfg`` that matter here; torchvision-like files have ``mean`` and ``std`` too."""

    mean: Numbers | None = None
    std: Numbers | None = None
    input_size: list[int] | None = None
    interpolation: str | None = None
    crop_pct: float | None = None


@dataclass(frozen=True)
class _Config(_Pretrained):
    """``config.json``: timm's, older timm's (the same keys at the top) or transformers'."""

    pretrained_cfg: _Pretrained | None = None
    label_names: list[str] | None = None
    id2label: dict[str, str] = field(default_factory=dict)


def stored_preprocessing(model_path: str | Path) -> Stored | None:
    """What ``preprocessor_config.json`` or ``config.json`` (timm) beside the model says; None where neither does.

    Raises:
        SamplesError: such a file is damaged, larger than 1 MiB, or has impossible values.
    """
    processor = _read(model_path, CONFIGURATIONS[0], _Processor)
    if processor is not None:
        return _from_processor(*processor)
    config = _read(model_path, CONFIGURATIONS[1], _Config)
    return _from_config(*config) if config is not None else None


def stored_files(model_path: str | Path) -> list[Path]:
    """The files that ``stored_preprocessing`` and ``stored_names`` read for this model."""
    return [path for path in (_find(model_path, name) for name in CONFIGURATIONS) if path is not None]


def stored_names(model_path: str | Path, classes: int) -> tuple[str, ...]:
    """The class names beside the model, by index: of ``config.json``, or one a line of ``labels.txt``.

    Empty where neither names all of them.

    Raises:
        SamplesError: ``config.json`` is damaged or larger than 1 MiB.
    """
    config = _read(model_path, CONFIGURATIONS[1], _Config)
    if config is not None:
        names = config[1].label_names or [config[1].id2label.get(str(i), "") for i in range(classes)]
        if len(names) == classes and all(names):
            return tuple(names)
    texts = (_find(model_path, name) for name in LABELS)
    lists = (_lines(path) for path in texts if path is not None)
    return next((names for names in lists if len(names) == classes and all(names)), ())


def _lines(path: Path) -> tuple[str, ...]:
    """One name a line; none for a file that is something else, as many are called so."""
    try:
        return tuple(one_line(line, limit=100) for line in _content(path).decode("utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError, SamplesError):
        return ()


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise SamplesError(f"{path}: larger than 1 MiB; it does not belong to a model, move it away")
    return content


def _find(model_path: str | Path, name: str) -> Path | None:
    folder = Path(model_path).absolute().parent
    # transformers keeps exported models in a folder "onnx" of the repository that holds the configuration
    folders = [folder, folder.parent] if folder.name == "onnx" else [folder]
    return next((f / name for f in folders if (f / name).is_file()), None)


def _read(model_path: str | Path, name: str, kind: type[Contents]) -> tuple[Path, Contents] | None:
    path = _find(model_path, name)
    if path is None:
        return None
    try:
        return path, msgspec.json.decode(_content(path), type=kind)
    except (OSError, UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        raise SamplesError(
            f"{path}: not a readable configuration ({one_line(error)}); mend it or move it away"
        ) from None


def _from_processor(path: Path, found: _Processor) -> Stored | None:
    if found.image_mean is None and not found.do_rescale and not found.do_normalize:
        return None
    scale = 255 * (found.rescale_factor or 1 / 255) if found.do_rescale else 255.0
    mean, std = (found.image_mean, found.image_std) if found.do_normalize else (None, None)
    convention = _convention(path, scale, mean, std, bool(found.do_flip_channel_order))
    full, cropped = _height_width(found.size), _height_width(found.crop_size)
    crop = found.crop_pct
    if found.do_center_crop and full and cropped:
        crop = min(1.0, cropped[0] / full[0])  # a crop larger than the picture would be padded; take all of it
    fit = _fit(path, crop, found.resample == _BICUBIC)
    return Stored(path.name, convention, fit, _size(path, cropped if found.do_center_crop and cropped else full))


def _from_config(path: Path, found: _Config) -> Stored | None:
    stated = found.pretrained_cfg or found
    if stated.mean is None:
        return None
    convention = _convention(path, 1.0, stated.mean, stated.std, bgr=False)
    size = (stated.input_size[1], stated.input_size[2]) if stated.input_size and len(stated.input_size) == 3 else None
    return Stored(
        path.name, convention, _fit(path, stated.crop_pct, stated.interpolation == "bicubic"), _size(path, size)
    )


def _convention(path: Path, scale: float, mean: Numbers | None, std: Numbers | None, bgr: bool) -> Convention:
    means, stds = (_tuple(value, default) for value, default in ((mean, 0.0), (std, 1.0)))
    finite = all(math.isfinite(v) for v in (scale, *means, *stds))
    if not finite or scale == 0 or min(stds, default=0) <= 0 or {len(means), len(stds)} - {1, 3}:
        raise SamplesError(
            f"{path}: expected 1 or 3 means and positive deviations, got {_text(means)} and {_text(stds)}; mend it"
        )
    # HF writes the factor 1/255 with rounding: 255 times it is 1 for every purpose.
    scale = round(scale, 6)
    name = f"[0, {scale:g}] - {_text(means)} over {_text(stds)}"
    return Convention(f"{'BGR ' if bgr else ''}{name}", path.name, scale, means, stds, bgr)


def _text(values: tuple[float, ...]) -> str:
    return one_line(f"({', '.join(f'{v:g}' for v in values)})", limit=60)


def _tuple(value: Numbers | None, default: float) -> tuple[float, ...]:
    if value is None:
        return (default,)
    return tuple(float(v) for v in value) if isinstance(value, list) else (float(value),)


def _height_width(size: Size | None) -> tuple[int, int] | None:
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        size = [size.get("height") or edge or 0, size.get("width") or edge or 0]
    pair = [size, size] if isinstance(size, int) else size
    return (pair[0], pair[1]) if pair and len(pair) == 2 and min(pair) > 0 else None


def _size(path: Path, size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is not None and not all(0 < side <= 4096 for side in size):
        raise SamplesError(f"{path}: expected an image size of 1 to 4096, got {size}; mend it")
    return size


def _fit(path: Path, crop: float | None, bicubic: bool) -> Fit:
    if crop is not None and not 0.1 <= crop <= 1:
        raise SamplesError(f"{path}: expected a crop between 0.1 and 1, got {crop:g}; mend it")
    return Fit(crop, "bicubic" if bicubic else "bilinear")
