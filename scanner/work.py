"""One job of a batch, done on the machine that this is called on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .jobs import Job, Outcome

__all__ = ["Share", "do"]

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Share:
    """What of the machine a job may use.

    Attributes:
        threads: of the scan's process; 0 for what the environment says, or else every core.
        gpus: value of CUDA_VISIBLE_DEVICES; None leaves it as it is, "" hides all.
    """

    threads: int = 0
    gpus: str | None = None


def do(
    job: Job,
    progress: Progress = lambda text, fraction: None,
    *,
    share: Share = Share(),
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Scan one model and return what is to be stored; whatever the model does, this returns.

    Args:
        job: what to scan.
        progress: called with what is being done and the fraction done in [0, 1].
        share: what it may use.
        stop: asked several times a second; true ends the scan soon, with an outcome that is not lasting.
    """
    raise NotImplementedError
