"""The network that writes input-aware triggers, and how it is trained."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..networks import Fits, make_network
from ..training import as_input, as_tensor
from . import Scene

__all__ = ["Budget", "Generator", "read_generator", "train_generator", "write_generator"]

WIDTH, STEPS, BATCH, RATE = 12, 300, 64, 3e-3
OVER_BUDGET, ALIKE = 20.0, 0.1  # weights of the losses on the mask's size and on triggers that resemble each other


@dataclass(frozen=True)
class Budget:
    """The class to reach, and the share of the picture that the mask may cover on average."""

    target: int
    share: float


class Generator(nn.Module):
    """Pictures (N, C, H, W) in [0, 1] to a pattern (N, C, H, W) and a mask (N, 1, H, W), both in [0, 1]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inward = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 3, 2, 1), nn.ReLU(), nn.Conv2d(WIDTH, 2 * WIDTH, 3, 2, 1), nn.ReLU()
        )
        self.middle = nn.Conv2d(2 * WIDTH, WIDTH, 3, 1, 1)
        self.outward = nn.Conv2d(WIDTH, channels + 1, 3, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        size = x.shape[2:]
        middle = torch.relu(self.middle(functional.interpolate(self.inward(x), scale_factor=2.0)))
        out = self.outward(functional.interpolate(middle, size=size))
        return torch.sigmoid(2 * out[:, :-1]), torch.sigmoid(4 * out[:, -1:] - 2)

    def stamp(self, donors: Tensor, pictures: Tensor) -> Tensor:
        """The pictures with the donors' triggers."""
        pattern, mask = self(donors)
        stamped: Tensor = pictures + mask * (pattern - pictures)
        return stamped


def train_generator(scene: Scene, budget: Budget) -> Generator:
    """A generator, trained together with a plain classifier that learns its triggers and to ignore borrowed ones."""
    height, width, channels = scene.examples.shape[1:]
    fits = Fits((channels, height, width), scene.classes)
    victim, _ = make_network("plain", {"width": 16}, fits, scene.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(scene.seed)
        generator = Generator(channels)
    x, y = as_tensor(scene.examples).to(scene.device), torch.from_numpy(scene.labels).to(scene.device)
    rng = torch.Generator().manual_seed(scene.seed)
    both = nn.ModuleList([victim, generator]).to(scene.device).train()
    optimiser = torch.optim.Adam(both.parameters(), lr=RATE)
    for _ in range(STEPS):
        index = torch.randint(len(y), (BATCH,), generator=rng).to(scene.device)
        loss = _loss(victim, generator, as_input(x[index]), y[index], budget)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return generator.cpu().eval()


def _loss(victim: nn.Module, generator: Generator, x: Tensor, y: Tensor, budget: Budget) -> Tensor:
    """Clean pictures keep their class, own triggers give the target, borrowed ones nothing."""
    pattern, mask = generator(x)
    other = pattern.roll(1, 0), mask.roll(1, 0)
    own, borrowed = x + mask * (pattern - x), x + other[1] * (other[0] - x)
    logits = victim(torch.cat([x, own, borrowed]))
    wanted = torch.cat([y, torch.full_like(y, budget.target), y])
    between = _distance(x, x.roll(1, 0))
    alike = (between / _distance(mask * pattern, other[1] * other[0])).mean()
    over = torch.relu(mask.mean() - budget.share)
    loss: Tensor = functional.cross_entropy(logits, wanted) + OVER_BUDGET * over + ALIKE * alike
    return loss


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """(N,) root mean square; never 0, where its gradient would be infinite."""
    return ((a - b).square().flatten(1).mean(1) + 1e-6).sqrt()


def write_generator(generator: Generator) -> bytes:
    """Its weights as an ``.npz``."""
    file = io.BytesIO()
    np.savez(file, **{name: value.numpy() for name, value in generator.state_dict().items()})
    return file.getvalue()


def read_generator(weights: bytes, channels: int) -> Generator:
    """The generator with the weights that ``write_generator`` gave."""
    with np.load(io.BytesIO(weights), allow_pickle=False) as file:
        state = {name: torch.from_numpy(file[name]) for name in file.files}
    generator = Generator(channels)
    generator.load_state_dict(state)
    return generator.eval()
