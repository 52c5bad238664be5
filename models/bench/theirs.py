"""One run of a peer, as a record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...scanner.config import ScanOptions
from ...scanner.detection import verify_twin
from ...scanner.errors import TwinError
from ...scanner.gathering import gather
from ...scanner.ledger import Ledger
from ...scanner.opening import open_running
from .peers import Peer, peers
from .record import Record
from .scores import LOWEST

__all__ = ["answered", "peer"]


def peer(who: str, full: bool) -> Peer:
    """A peer by its id: as published, or at a price that a benchmark on a CPU can pay."""
    asked: Peer = peers()[who]()
    return asked if full else asked.short()


def answered(record: Record, path: Path, data: Path | None, asked: Peer, seed: int) -> Record:
    """The record with what the peer says; its input domain and its twin are found as for our own scan.

    Raises:
        OnnxrayError: the model cannot be put to it.
    """
    ledger = Ledger(lambda text, fraction: None)
    with ledger.stage("open"):
        model = open_running(path, None)
    with ledger.stage("samples"):
        _, samples = gather(model, data, ScanOptions(seed=seed, samples=max(2, record.samples_used)), ledger)
    with ledger.stage("twin"):
        if verify_twin(model, samples, "cpu", ledger) is None:
            raise TwinError(ledger.failures[-1].why)
    with ledger.stage("detect"):
        result = asked.run(model, samples, seed)

    return replace(
        record,
        classes=model.classes,
        label="flagged" if result.flagged else "clean",
        score=float(np.nan_to_num(result.score, nan=LOWEST, posinf=-LOWEST, neginf=LOWEST)),
        named=(result.target,) if result.flagged and result.target is not None else (),
        best=result.target,
        flagged=bool(result.flagged),
        timings=dict(ledger.seconds),
        note=result.note,
    )
