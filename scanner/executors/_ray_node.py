"""What happens on a node of a Ray cluster: one job, in a worker process that scans in its sandbox."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..scratch import scratch_folder, sweep
from ..work import Share
from ._ray_files import Lacking, lacking, placed, unpack

if TYPE_CHECKING:
    from ..batch.identity import Contents
    from ..jobs import Job, Outcome

__all__ = ["Asked", "answer", "remote_answer"]

_EVERY = 2.0  # seconds between two messages about one job: progress is worth no load


@dataclass(frozen=True)
class Asked:
    """One try of a job, as it is sent to a node.

    Attributes:
        job: its paths absolute.
        marks: by what the file of each field is known (``_ray_files.marks``).
        work: the function that does it, "module:name".
        threads: of each library.
    """

    job: Job
    marks: Mapping[str, str]
    work: str
    threads: int


def remote_answer() -> Callable[..., object]:
    """The function that Ray sends to the nodes.

    It is made here, in a function, so that Ray sends its code and not its name: the name is of no use to a node that
    lacks onnxray, or has another version of it, and that is what it finds out.
    """

    def onnxray_scan(version: str, asked: bytes, board: Any, files: Mapping[str, Any]) -> object:
        import pickle
        import platform

        try:
            from ..version import __version__ as here
        except ImportError as error:
            return f"{platform.node()} cannot import onnxray ({error})"
        if here != version:
            return f"{platform.node()} has onnxray {here}"
        from ._ray_node import answer

        return answer(pickle.loads(asked), board, files)

    return onnxray_scan


def answer(asked: Asked, board: Any, files: Mapping[str, Any]) -> Outcome | Lacking:
    """Do a job, or tell which of its files this node lacks.

    Args:
        asked: the job.
        board: the actor that takes notes of progress.
        files: field of the job -> Ray's reference to a ``_ray_files.Parcel``, for files that this node may lack.
    """
    sweep()  # of workers that were killed here
    absent = lacking(asked.job, asked.marks, _contents())
    if absent - set(files):
        return Lacking(platform.node(), tuple(sorted(absent)))
    with scratch_folder() as folder:
        where = {name: unpack(_fetched(files[name]), Path(folder) / name) for name in sorted(absent)}
        share = Share(threads=asked.threads)  # of the GPUs, Ray itself lets a worker see its own
        return _work(asked.work)(placed(asked.job, where), _notes(board, asked.job.key), share=share)


@cache
def _contents() -> Contents:
    """This process's own, as the same pictures come with many jobs; it ends with the driver."""
    from ..batch.identity import Contents

    return Contents()


def _fetched(reference: Any) -> Any:
    import ray

    return ray.get(reference)


def _work(name: str) -> Callable[..., Outcome]:
    module, _, function = name.partition(":")
    found: Callable[..., Outcome] = getattr(import_module(module), function)
    return found


def _notes(board: Any, key: str) -> Callable[[str, float], None]:
    """Progress goes out without waiting for anybody to take it, and not often."""
    from ray.exceptions import RayError

    last = -_EVERY

    def progress(text: str, fraction: float) -> None:
        nonlocal last
        if monotonic() - last >= _EVERY:
            last = monotonic()
            with suppress(RayError):  # the board was lost with its node, and comes back
                board.put.remote(key, text, fraction)

    return progress
