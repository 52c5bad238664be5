"""The constants of a spectrogram: window functions, and the mel scale's filters."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..dtypes import torch_dtype
from . import Gradient, Ints, Number, ints, number, operator

__all__ = ["blackman_window", "hamming_window", "hann_window", "mel_weight_matrix"]

_FLOAT = 1  # TensorProto.FLOAT


@operator("HannWindow", since=17, gradient=Gradient.NONE)
def hann_window(size: Ints, *, output_datatype: int = _FLOAT, periodic: int = 1) -> Tensor:
    """``0.5 - 0.5 cos(2 pi n / N)``; N is the size, or one less if not periodic."""
    return _cosines(size, (0.5, 0.5), output_datatype, periodic)


@operator("HammingWindow", since=17, gradient=Gradient.NONE)
def hamming_window(size: Ints, *, output_datatype: int = _FLOAT, periodic: int = 1) -> Tensor:
    """``25/46 - 21/46 cos(2 pi n / N)``; N is the size, or one less if not periodic."""
    return _cosines(size, (25 / 46, 21 / 46), output_datatype, periodic)


@operator("BlackmanWindow", since=17, gradient=Gradient.NONE)
def blackman_window(size: Ints, *, output_datatype: int = _FLOAT, periodic: int = 1) -> Tensor:
    """``0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)``; N is the size, or one less if not periodic."""
    return _cosines(size, (0.42, 0.5, 0.08), output_datatype, periodic)


@operator("MelWeightMatrix", since=17, gradient=Gradient.NONE)
def mel_weight_matrix(
    num_mel_bins: Ints,
    dft_length: Ints,
    sample_rate: Ints,
    lower_edge_hertz: Number,
    upper_edge_hertz: Number,
    *,
    output_datatype: int = _FLOAT,
) -> Tensor:
    """Triangles of height 1, evenly spaced on the scale ``2595 log10(1 + f / 700)``: (frequencies, mel bins)."""
    (bins,), (length,), (rate,) = ints(num_mel_bins), ints(dft_length), ints(sample_rate)
    low, high = (2595 * math.log10(1 + number(edge) / 700) for edge in (lower_edge_hertz, upper_edge_hertz))
    mels = low + torch.arange(bins + 2, dtype=torch.float64) * (high - low) / (bins + 2)
    corners = ((length + 1) * 700 * (10 ** (mels / 2595) - 1) / rate).floor()
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    frequencies = torch.arange(length // 2 + 1, dtype=torch.float64)[:, None]
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    triangles = torch.where(frequencies < centre, rising, falling).clamp(min=0)
    return torch.where(frequencies == centre, 1.0, triangles).to(torch_dtype(output_datatype))


def _cosines(size: Ints, weights: tuple[float, ...], kind: int, periodic: int) -> Tensor:
    """Sum of cosines of rising frequency and alternating sign."""
    (length,) = ints(size)
    angles = 2 * math.pi * torch.arange(length, dtype=torch.float64) / (length if periodic else length - 1)
    values = sum((-1) ** k * weight * torch.cos(k * angles) for k, weight in enumerate(weights))
    return torch.as_tensor(values).to(torch_dtype(kind))
