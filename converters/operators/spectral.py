"""Fourier transforms; a complex value is held as a last axis of two: its real and its imaginary part."""

from __future__ import annotations

import torch
from torch import Tensor

from . import Ints, ints, operator

__all__ = ["dft", "dft_17", "stft"]


@operator("DFT", since=17)
def dft_17(x: Tensor, dft_length: Ints | None = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0) -> Tensor:
    """``sum over n of x[n] * exp(-2 pi j k n / N)`` along an axis, which is an attribute up to opset 19."""
    return dft(x, dft_length, (axis,), inverse=inverse, onesided=onesided)


@operator("DFT", since=20)
def dft(
    x: Tensor, dft_length: Ints | None = None, axis: Ints | None = None, *, inverse: int = 0, onesided: int = 0
) -> Tensor:
    """``sum over n of x[n] * exp(-2 pi j k n / N)`` along an axis, or its inverse, which divides by N."""
    dim = (-2 if axis is None else ints(axis)[0]) % x.ndim
    length = None if dft_length is None else ints(dft_length)[0]
    if inverse and onesided:
        if length not in (None, 2 * x.shape[dim] - 2, 2 * x.shape[dim] - 1):  # the standard and onnxruntime part here
            raise NotImplementedError(f"an inverse transform to {length} values of {x.shape[dim]} frequencies")
        signal: Tensor = torch.fft.irfft(_complex(x), length, dim)
        return signal.unsqueeze(-1).to(x.dtype)
    if inverse:
        return _parts(torch.fft.ifft(_complex(x), length, dim), x)
    return _forward(x, length, dim, onesided)


@operator("STFT", since=17)
def stft(
    signal: Tensor,
    frame_step: Ints,
    window: Tensor | None = None,
    frame_length: Ints | None = None,
    *,
    onesided: int = 1,
) -> Tensor:
    """The DFT of each frame of a signal (N, length, 1 or 2), times a window: (N, frames, frequencies, 2)."""
    if signal.ndim == 2:  # real values without the axis that says so
        signal = signal.unsqueeze(-1)
    length = signal.shape[1] if window is None else window.shape[0]
    if frame_length is not None:
        length = ints(frame_length)[0]
    if window is not None and window.shape[0] != length:
        raise NotImplementedError(f"a window of {window.shape[0]} values for frames of {length}")
    frames = signal.unfold(1, length, ints(frame_step)[0]).movedim(-1, 2)
    return _forward(frames if window is None else frames * window.reshape(-1, 1), None, 2, onesided)


def _forward(x: Tensor, length: int | None, dim: int, onesided: int) -> Tensor:
    if not onesided:
        return _parts(torch.fft.fft(_complex(x), length, dim), x)
    if x.shape[-1] != 1:
        raise NotImplementedError("a one-sided transform of complex values")
    return _parts(torch.fft.rfft(_wide(x).squeeze(-1), length, dim), x)


def _complex(x: Tensor) -> Tensor:
    """The values of real or complex input, without the last axis."""
    x = _wide(x)
    return torch.view_as_complex(x.contiguous()) if x.shape[-1] == 2 else x.squeeze(-1)


def _wide(x: Tensor) -> Tensor:
    """In a type that torch transforms."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _parts(values: Tensor, like: Tensor) -> Tensor:
    return torch.view_as_real(values.resolve_conj()).to(like.dtype)
