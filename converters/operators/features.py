"""Preparation of features in ai.onnx.ml: scaling, filling gaps, encoding categories. Text has no tensor here.

As in onnxruntime, whatever does not keep its input's type gives float32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import Gradient, operator

_ML = "ai.onnx.ml"
_UNKNOWN_TEXT = "_Unused"


@operator("Scaler", domain=_ML)
class Scaler(nn.Module):
    """``(x - offset) * scale``, each of one value or one for each feature."""

    offset: Tensor
    scale: Tensor

    def __init__(self, *, offset: tuple[float, ...] = (0.0,), scale: tuple[float, ...] = (1.0,)) -> None:
        """Keep both as tensors."""
        super().__init__()
        self.register_buffer("offset", torch.tensor(offset), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled features."""
        return (x.float() - self.offset) * self.scale


@operator("Normalizer", domain=_ML)
def normalizer(x: Tensor, *, norm: str = "MAX") -> Tensor:
    """Divide each row by its largest value, its sum of magnitudes or its length; a row where that is zero stays."""
    rows = x.float()
    rows = rows.reshape(1, -1) if rows.dim() < 2 else rows
    if norm == "MAX":
        size = rows.amax(1, keepdim=True)
    elif norm == "L1":
        size = rows.abs().sum(1, keepdim=True)
    elif norm == "L2":
        square = rows.square().sum(1, keepdim=True)
        size = torch.where(square == 0, torch.ones_like(square), square).sqrt()
    else:
        raise NotImplementedError(f"the norm {norm}")
    return (rows / torch.where(size == 0, torch.ones_like(size), size)).reshape(x.shape)


@operator("Binarizer", domain=_ML)
def binarizer(x: Tensor, *, threshold: float = 0.0) -> Tensor:
    """1 above the threshold, else 0."""
    return (x > threshold).to(x.dtype)


@operator("Imputer", domain=_ML)
class Imputer(nn.Module):
    """Put one value for all, or one for each feature, in place of NaN or of another value that says "missing"."""

    values: Tensor

    def __init__(
        self,
        *,
        imputed_value_floats: tuple[float, ...] = (),
        imputed_value_int64s: tuple[int, ...] = (),
        replaced_value_float: float = 0.0,
        replaced_value_int64: int = 0,
    ) -> None:
        """Keep the values as a tensor."""
        super().__init__()
        values = torch.tensor(imputed_value_floats or imputed_value_int64s)
        self.register_buffer("values", values, persistent=False)
        self.replaced = replaced_value_float if imputed_value_floats else replaced_value_int64

    def forward(self, x: Tensor) -> Tensor:
        """Return the features without gaps."""
        missing = x.isnan() if self.replaced != self.replaced else x == self.replaced
        return torch.where(missing, self.values.to(x.dtype), x)


@operator("FeatureVectorizer", domain=_ML)
def feature_vectorizer(*values: Tensor, inputdimensions: tuple[int, ...] = ()) -> Tensor:
    """Join features (N, ...) side by side; each input is cut or filled up with zeros to its size."""
    rows = [x.float().reshape(1, -1) if x.dim() < 2 else x.float().flatten(1) for x in values]
    sizes = inputdimensions or tuple(x.shape[1] for x in rows)
    return torch.cat([nn.functional.pad(x, (0, size - x.shape[1])) for x, size in zip(rows, sizes, strict=True)], 1)


@operator("ArrayFeatureExtractor", domain=_ML)
def array_feature_extractor(x: Tensor, y: Tensor) -> Tensor:
    """Choose features along the last axis by index; from a vector, one row."""
    chosen = x.index_select(-1, y.reshape(-1).long())
    return chosen.unsqueeze(0) if x.dim() == 1 else chosen


@operator("OneHotEncoder", domain=_ML, gradient=Gradient.NONE)
class OneHotEncoder(nn.Module):
    """One new last axis: 1 at the place of the category, zeros for one that is not listed.

    With ``zeros=0`` the original stops at an unknown category instead.
    """

    categories: Tensor

    def __init__(
        self, *, cats_int64s: tuple[int, ...] = (), cats_strings: tuple[str, ...] = (), zeros: int = 1
    ) -> None:
        """Keep the categories as a tensor."""
        super().__init__()
        if cats_strings:
            raise NotImplementedError("categories that are text")
        self.register_buffer("categories", torch.tensor(cats_int64s), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros and ones."""
        return (x.long().unsqueeze(-1) == self.categories).float()


@operator("LabelEncoder", since=2, domain=_ML, gradient=Gradient.NONE)
class LabelEncoder(nn.Module):
    """Numbers by a table; in place of text it gives the place of the entry in the table, or -1.

    Of a key that is there twice the first entry counts, as in onnxruntime; the standard asks for the last.
    """

    keys: Tensor
    values: Tensor
    default: Tensor

    def __init__(
        self,
        *,
        default_float: float = -0.0,
        default_int64: int = -1,
        default_string: str = _UNKNOWN_TEXT,
        default_tensor: Tensor | None = None,
        keys_floats: tuple[float, ...] = (),
        keys_int64s: tuple[int, ...] = (),
        keys_strings: tuple[str, ...] = (),
        keys_tensor: Tensor | None = None,
        values_floats: tuple[float, ...] = (),
        values_int64s: tuple[int, ...] = (),
        values_strings: tuple[str, ...] = (),
        values_tensor: Tensor | None = None,
    ) -> None:
        """Keep the table as tensors."""
        super().__init__()
        if keys_strings:
            raise NotImplementedError("keys that are text")
        keys = torch.tensor(keys_floats or keys_int64s) if keys_tensor is None else keys_tensor
        default: Tensor
        if values_tensor is not None:
            unknown = torch.tensor(-0.0 if values_tensor.is_floating_point() else -1)
            values, default = values_tensor, unknown if default_tensor is None else default_tensor
        elif values_floats:
            values, default = torch.tensor(values_floats), torch.tensor(default_float)
        else:
            values = torch.tensor(values_int64s or range(len(values_strings)))
            default = torch.tensor(-1 if values_strings else default_int64)
        self.register_buffer("keys", keys, persistent=False)
        self.register_buffer("values", values, persistent=False)
        self.register_buffer("default", default.reshape(()).to(values.dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the entries."""
        each = x.unsqueeze(-1)
        hits = (each == self.keys) | (each.isnan() & self.keys.isnan())
        return torch.where(hits.any(-1), self.values[hits.to(torch.uint8).argmax(-1)], self.default)


@operator("LabelEncoder", domain=_ML, gradient=Gradient.NONE)
class Labels(nn.Module):
    """Numbers to the place of their text in the list, or -1."""

    def __init__(
        self, *, classes_strings: tuple[str, ...] = (), default_int64: int = -1, default_string: str = _UNKNOWN_TEXT
    ) -> None:
        """Keep the number of classes."""
        super().__init__()
        self.classes = len(classes_strings)

    def forward(self, x: Tensor) -> Tensor:
        """Return the places."""
        index = x.long()
        return torch.where((index >= 0) & (index < self.classes), index, -torch.ones_like(index))


@operator("CategoryMapper", domain=_ML, gradient=Gradient.NONE)
class CategoryMapper(LabelEncoder):
    """Numbers to the place of their text in the table, or -1."""

    def __init__(
        self,
        *,
        cats_int64s: tuple[int, ...] = (),
        cats_strings: tuple[str, ...] = (),
        default_int64: int = -1,
        default_string: str = _UNKNOWN_TEXT,
    ) -> None:
        """Keep the table as a tensor."""
        super().__init__(keys_int64s=cats_int64s, values_strings=cats_strings)


@operator("ZipMap", domain=_ML)
def zip_map(
    x: Tensor, *, classlabels_int64s: tuple[int, ...] = (), classlabels_strings: tuple[str, ...] = ()
) -> Tensor:
    """The scores themselves (N, K), in the order of the labels, instead of a dictionary for each input."""
    return x.reshape(1, -1) if x.dim() < 2 else x
