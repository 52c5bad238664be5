"""What the rear of a network sees of each class in embeddings that it is sure are of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import cast

import torch
from torch import Tensor

from ..converters.halves import Rear, passages
from ..converters.twin import Twin, in_batches
from .adam import Adam
from .parallel import side_by_side

__all__ = ["Split", "cross_answers", "splits"]

Logits = Callable[[Tensor], Tensor]
BETAS = (0.9, 0.999)
ROOM = 2**22  # numbers in the embeddings of a pass: a large network's rear holds several times as many in each layer
LEAST = 0.05  # of the mean size of an activation: the least that any channel's is taken to be


@dataclass(frozen=True)
class Split:
    """A place to cut a network, and what its embeddings there are like.

    Attributes:
        tensor: its name.
        depth: share of the layers that lie before it.
        rear: embeddings (N, ...) to logits (N, K).
        shape: of one embedding.
        scale, least, most: all broadcast to an embedding: twice the mean absolute activation of its channel, and the
            smallest and largest one that the network's own inputs reach; behind a ReLU the smallest is 0.
    """

    tensor: str
    depth: float
    rear: Logits
    shape: tuple[int, ...]
    scale: Tensor
    least: Tensor
    most: Tensor

    @classmethod
    def of(cls, tensor: str, depth: float, rear: Logits, values: Tensor) -> Split:
        """From the embeddings (N, ...) of some inputs."""
        # Channels come behind the batch, but for sequences (N, T, C).
        others = [axis for axis in range(values.dim()) if axis != (2 if values.dim() == 3 else 1)]
        size = values.abs()
        scale = 2 * size.mean(others, keepdim=True).clamp_min(LEAST * float(size.mean()) / 2)
        lowest, highest = values.amin(others, keepdim=True), values.amax(others, keepdim=True)
        return cls(tensor, depth, rear, tuple(values.shape[1:]), scale, lowest, highest)


@torch.no_grad()
def splits(twin: Twin, inputs: Tensor, depths: Sequence[float]) -> tuple[Split, ...]:
    """The cuts nearest to these shares of the network's layers, without repetition; none where it has no such tensor.

    Args:
        twin: of the model.
        inputs: (N, ...) as the network takes them; they tell the range of the embeddings. Where any tensor on the way
            is never below 0 for them, as behind a ReLU, only such are cut.
        depths: each in [0, 1].
    """
    inner = [p for p in passages(twin) if 0 < p.depth < 1]
    ranges = _ranges(twin, [p.tensor for p in inner], inputs) if inner else ()
    found = [(passage, least) for passage, (least, most) in zip(inner, ranges, strict=True) if most > least]
    found = [pair for pair in found if pair[1] >= 0] or found
    nearest = [min(found, key=lambda pair: abs(pair[0].depth - depth))[0] for depth in depths if found]
    chosen = list(dict.fromkeys(nearest))
    # Only now the embeddings themselves: those of every passage at once can be too much for the memory.
    return tuple(
        Split.of(p.tensor, p.depth, Rear(twin, p.tensor, inputs), _observed(twin, p.tensor, inputs)) for p in chosen
    )


def cross_answers(
    split: Split,
    rows: Tensor,
    *,
    restarts: int = 3,
    steps: int = 60,
    lr: float = 0.03,
    decay: float = 0.005,
    passes: int = 64,
    seed: int = 0,
    keep_going: Callable[[float], bool] = lambda fraction: True,
) -> Tensor | None:
    """Logarithms of the answers (n, restarts, K) to embeddings that were moved until the rear is sure of their class.

    Args:
        split: where the network is cut.
        rows: (n,) the class of each embedding.
        restarts: embeddings of each class, which differ in their start.
        steps, lr: of Adam, in units of the split's scale.
        decay: what an embedding's size costs, in the same units.
        passes: most embeddings in a forward pass; fewer of large ones.
        seed: of the starts.
        keep_going: told the fraction done; False ends it.

    Returns: None where ``keep_going`` ended it.

    Source: Fu et al. 2023, "FreeEagle", section 5; theirs start within [0, 1] whatever the network's own range is.
    """
    random = torch.Generator().manual_seed(seed)
    units = torch.rand(len(rows) * restarts, *split.shape, generator=random).to(rows.device, split.scale.dtype)
    least, most = (torch.nan_to_num(bound / split.scale) for bound in (split.least, split.most))
    start = torch.maximum(least, least.clamp_min(-1) + units * (1 - least.clamp_min(-1)))
    together = max(4, min(passes, ROOM // max(1, start[0].numel())))
    parts = list(_parts(start, rows.repeat_interleave(restarts), together))
    done = 0

    def settle(part: tuple[Tensor, Tensor]) -> Tensor | None:
        nonlocal done
        if not keep_going(done / len(parts)):
            return None
        answers = _settled(split, *part, (least, most), steps, lr, decay)
        done += 1
        return answers

    with side_by_side(str(rows.device)) as (run_all, _):
        found = [answers for answers in run_all(settle, parts) if answers is not None]
    return torch.cat(found).view(len(rows), restarts, -1) if len(found) == len(parts) else None


def _parts(start: Tensor, wanted: Tensor, passes: int) -> Iterator[tuple[Tensor, Tensor]]:
    yield from zip(torch.split(start, passes), torch.split(wanted, passes), strict=True)


def _settled(
    split: Split, start: Tensor, wanted: Tensor, bounds: tuple[Tensor, Tensor], steps: int, lr: float, decay: float
) -> Tensor:
    x = start.clone()
    adam, rows = Adam([x], lr, betas=BETAS), torch.arange(len(x), device=x.device)
    for _ in range(steps):
        x.requires_grad_()
        loss = torch.nn.functional.cross_entropy(split.rear(x * split.scale), wanted, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
        x = x.detach()
        adam.parameters = (x,)
        adam.step([gradient + decay * x], rows)
        x.copy_(torch.minimum(torch.maximum(x, bounds[0]), bounds[1]))
    with torch.no_grad():
        return split.rear(x * split.scale).log_softmax(1)


def _observed(twin: Twin, tensor: str, inputs: Tensor) -> Tensor:
    """The embeddings (N, ...) of all inputs."""
    reader = twin.observe([tensor])

    def run(part: Tensor) -> Tensor:
        (values,) = reader(part)
        return cast("Tensor", values)

    return in_batches(run, inputs, twin.batch)


def _ranges(twin: Twin, tensors: Sequence[str], inputs: Tensor) -> list[tuple[float, float]]:
    """Smallest and largest number of each tensor; NaN for what is not one finite tensor of numbers for each input."""
    reader = twin.observe(tensors, _range)

    def run(part: Tensor) -> Tensor:
        unknown = part.new_full((len(part), 2), nan)
        told = [r.to(part) if r is not None and len(r) == len(part) else unknown for r in reader(part)]
        return torch.stack(told, 1)

    seen = in_batches(run, inputs, twin.batch)
    seen[~seen.isfinite()] = nan
    return list(zip(seen[..., 0].amin(0).tolist(), seen[..., 1].amax(0).tolist(), strict=True))


def _range(values: object) -> Tensor | None:
    """(N, 2) smallest and largest number for each input; None for what holds no numbers for inputs."""
    if not isinstance(values, Tensor) or values.dim() < 2 or not values.is_floating_point() or not values.numel():
        return None
    return torch.stack(tuple(values.flatten(1).aminmax(dim=1)), 1)
