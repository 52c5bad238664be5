"""Normalisation by statistics: given ones, those of the batch, of a group of channels, or of the last axes."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from . import operator


@operator("BatchNormalization", since=14)
def batch_normalization(
    x: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> tuple[Tensor, ...]:
    """``(x - mean) / sqrt(var + epsilon) * scale + bias`` by channel; in training mode with the batch's statistics."""
    if not training_mode:
        return (_by_channel(x, scale, bias, mean, var, epsilon),)
    rest = [d for d in range(x.dim()) if d != 1]
    batch_var, batch_mean = torch.var_mean(x, rest, correction=0)
    y = _explicit(x, scale, bias, batch_mean, batch_var, epsilon)
    running = [old * momentum + new * (1 - momentum) for old, new in ((mean, batch_mean), (var, batch_var))]
    return y, running[0].to(mean.dtype), running[1].to(var.dtype)


@operator("BatchNormalization")
def batch_normalization_1(
    x: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    is_test: int = 0,
    spatial: int = 1,
    _outputs: int = 1,
) -> tuple[Tensor, ...]:
    """The same with given statistics; those of every single value unless `spatial`."""
    if _outputs > 1:
        raise NotImplementedError("BatchNormalization in training mode before opset 14")
    if spatial:
        return (_by_channel(x, scale, bias, mean, var, epsilon),)
    rows = x.flatten(1)
    flat = _by_channel(rows, scale.flatten(), bias.flatten(), mean.flatten(), var.flatten(), epsilon)
    return (flat.view_as(x),)


@operator("InstanceNormalization")
def instance_normalization(x: Tensor, scale: Tensor, bias: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    """Each channel of each input to mean 0 and variance 1, then scaled and shifted by channel."""
    return torch.group_norm(x, x.shape[1], scale, bias, epsilon)


@operator("GroupNormalization", since=21)
def group_normalization(
    x: Tensor, scale: Tensor, bias: Tensor, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    """Each group of channels to mean 0 and variance 1, then scaled and shifted by channel."""
    return torch.group_norm(x, num_groups, scale, bias, epsilon)


@operator("GroupNormalization", since=18)
def group_normalization_18(x: Tensor, scale: Tensor, bias: Tensor, *, num_groups: int, epsilon: float = 1e-5) -> Tensor:
    """The same, scaled and shifted by group."""
    size = x.shape[1] // num_groups
    return torch.group_norm(x, num_groups, scale.repeat_interleave(size), bias.repeat_interleave(size), epsilon)


@operator("LayerNormalization", since=17)
def layer_normalization(
    x: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    _outputs: int = 1,
) -> tuple[Tensor, ...]:
    """The axes from `axis` on to mean 0 and variance 1, then scaled and shifted; the mean and 1 / deviation as well."""
    shape = x.shape[axis:]
    if scale.shape == shape and (bias is None or bias.shape == shape):
        y = F.layer_norm(x, shape, scale, bias, epsilon)
    else:
        y = F.layer_norm(x, shape, eps=epsilon) * scale
        y = y if bias is None else y + bias
    if _outputs == 1:
        return (y,)
    var, mean = torch.var_mean(x, list(range(axis % x.dim(), x.dim())), correction=0, keepdim=True)
    return y, mean, torch.rsqrt(var + epsilon)


@operator("RMSNormalization", since=23)
def rms_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    """The axes from `axis` on divided by their root mean square, then scaled."""
    shape = x.shape[axis:]
    if scale.shape == shape and scale.dtype == x.dtype:
        return F.rms_norm(x, shape, scale, epsilon)
    return F.rms_norm(x, shape, eps=epsilon).to(scale.dtype) * scale


@operator("MeanVarianceNormalization", since=9)
def mean_variance_normalization(x: Tensor, *, axes: tuple[int, ...] = (0, 2, 3)) -> Tensor:
    """The axes to mean 0 and variance 1; what does not vary becomes 0."""
    centred = x - x.mean(axes, keepdim=True)
    count = torch.Size([x.shape[d] for d in axes]).numel()
    # By a norm: unlike a square root, it has a finite gradient at zero.
    deviation: Tensor = torch.linalg.vector_norm(centred, 2, axes, keepdim=True) / count**0.5
    return centred / (deviation + 1e-9)


@operator("MeanVarianceNormalization")
def mean_variance_normalization_1(x: Tensor, *, across_channels: int = 0, normalize_variance: int = 1) -> Tensor:
    """The same for each input, by channel unless `across_channels`; onnxruntime knows it before opset 9."""
    axes = tuple(range(1 if across_channels else 2, x.dim()))
    return mean_variance_normalization(x, axes=axes) if normalize_variance else x - x.mean(axes, keepdim=True)


def _by_channel(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor, epsilon: float) -> Tensor:
    if x.dim() == 1:  # N values of a single channel
        return _by_channel(x[:, None], scale, bias, mean, var, epsilon)[:, 0]
    if mean.requires_grad or var.requires_grad or {t.dtype for t in (scale, bias, mean, var)} != {x.dtype}:
        return _explicit(x, scale, bias, mean, var, epsilon)
    return F.batch_norm(x, mean, var, scale, bias, eps=epsilon)


def _explicit(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor, epsilon: float) -> Tensor:
    """Not torch's own, which passes no gradient to the statistics and takes one type only."""
    scale, bias, mean, var = (t.reshape(-1, *[1] * (x.dim() - 2)) for t in (scale, bias, mean, var))
    return ((x - mean) * torch.rsqrt(var + epsilon) * scale + bias).to(x.dtype)
