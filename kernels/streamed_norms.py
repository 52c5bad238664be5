"""Statistics of a whole data set's activations, batch by batch, without holding any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .activation_norms import activation_norms

__all__ = ["LayerNorms", "StreamedNorms", "Summary"]


@dataclass(frozen=True, eq=False)
class Summary:
    """Count, mean, squared deviations and maximum of some numbers of each channel: (C,) float64 tensors.

    Merging is Chan, Golub and LeVeque's (1979) pairwise update, so that the variance of many batches is as good as
    that of one; in which order batches are merged changes only the last digits.
    """

    count: int
    mean: Tensor
    deviations: Tensor
    """Sum of squared deviations from the mean."""
    largest: Tensor

    @property
    def total(self) -> Tensor:
        """Sum of the numbers."""
        return self.mean * self.count if self.count else torch.zeros_like(self.mean)

    @property
    def squares(self) -> Tensor:
        """Sum of their squares."""
        return self.deviations + self.mean * self.total if self.count else torch.zeros_like(self.mean)

    @property
    def variance(self) -> Tensor:
        """Mean squared deviation, without correction; NaN of nothing."""
        return self.deviations / self.count if self.count else torch.full_like(self.mean, torch.nan)

    def merged(self, other: Summary) -> Summary:
        """The summary of both sets of numbers together, on the device of this one."""
        if not other.count:
            return self
        mean, deviations, largest = (t.to(self.mean.device) for t in (other.mean, other.deviations, other.largest))
        if not self.count:
            return Summary(other.count, mean, deviations, largest)
        count = self.count + other.count
        between = (mean - self.mean).square() * (self.count / count * other.count)
        return Summary(
            count,
            self.mean * (self.count / count) + mean * (other.count / count),
            self.deviations + deviations + between,
            torch.maximum(self.largest, largest),
        )


@dataclass(frozen=True, eq=False)
class LayerNorms:
    """What is known of one layer: three summaries over samples, and one over all its activations."""

    l1: Summary
    l2: Summary
    linf: Summary
    activations: Summary
    """Counts every position of every sample; its ``largest`` is the largest magnitude."""

    @classmethod
    def of(cls, x: Tensor) -> LayerNorms:
        """Measure one batch (N, C, *spatial); see ``activation_norms`` for what is taken and what is refused."""
        norms = activation_norms(x.detach(), moments=True)
        l1, l2, linf, mean, variance = (
            _double(t) for t in (norms.l1, norms.l2, norms.linf, norms.mean, norms.variance) if t is not None
        )
        none = torch.zeros_like(l1)
        largest = _summary(linf, none, 1)
        positions = x[0, 0].numel() if x.shape[0] and x.shape[1] else 0
        activations = _summary(mean, variance, positions)
        return cls(
            l1=_summary(l1, none, 1),
            l2=_summary(l2, none, 1),
            linf=largest,
            activations=replace(activations, largest=largest.largest),
        )

    def merged(self, other: LayerNorms) -> LayerNorms:
        """The statistics of both sets of samples together."""
        return LayerNorms(
            self.l1.merged(other.l1),
            self.l2.merged(other.l2),
            self.linf.merged(other.linf),
            self.activations.merged(other.activations),
        )


class StreamedNorms(Mapping[str, LayerNorms]):
    """The statistics of every layer by its name; they grow by ``add`` and ``merge``.

    State stays on the device of a layer's first batch, (C,) float64 tensors, and adding waits for no device.
    """

    def __init__(self) -> None:
        self._layers: dict[str, LayerNorms] = {}

    def add(self, name: str, x: Tensor) -> None:
        """Count one batch (N, C, *spatial) of a layer.

        Raises:
            ValueError: the layer had another number of channels before, or ``activation_norms`` refuses the tensor.
        """
        self._include(name, LayerNorms.of(x))

    def merge(self, other: StreamedNorms) -> None:
        """Count all that another stream has counted, from another process or device, say."""
        for name, layer in other.items():
            self._include(name, layer)

    def _include(self, name: str, layer: LayerNorms) -> None:
        known = self._layers.get(name)
        if known is None:
            self._layers[name] = layer
            return
        before, now = len(known.l1.mean), len(layer.l1.mean)
        if before != now:
            raise ValueError(f"expected {before} channels in layer {name!r}, as before, got {now}")
        self._layers[name] = known.merged(layer)

    def __getitem__(self, name: str) -> LayerNorms:
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


def _summary(means: Tensor, variances: Tensor, each: int) -> Summary:
    """Summarise (N, C) means and variances, of ``each`` numbers a sample."""
    samples = len(means) if each else 0
    if not samples:
        nothing = means.new_full(means.shape[1:], torch.nan)
        return Summary(0, nothing, torch.zeros_like(nothing), torch.full_like(nothing, -torch.inf))
    mean = means.mean(0)
    return Summary(samples * each, mean, each * (variances + (means - mean).square()).sum(0), means.amax(0))


def _double(t: Tensor) -> Tensor:
    """In float64, on the CPU where the device has none."""
    return (t.cpu() if t.device.type == "mps" else t).double()
