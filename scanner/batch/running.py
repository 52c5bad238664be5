"""Run a batch: claim jobs in the store, have them done, keep what comes of them."""

from __future__ import annotations

from ..catalog import Catalog
from ..executors import Executor
from ..store import Store
from .planning import BatchOptions
from .tally import Tally, Watcher

__all__ = ["run_batch"]


def run_batch(
    catalog: Catalog, store: Store, executor: Executor, batch: BatchOptions, watcher: Watcher | None = None
) -> Tally:
    """Scan what the store does not know yet, and say where everything stands.

    Several runs on one store share the work. One that is interrupted, by Ctrl-C, SIGTERM or anything worse, is gone on
    with by calling this again. A job that fails never stops the rest.

    Raises:
        OptionError, SamplesError: as ``plan``.
        StoreError: the store cannot be written, such as on a full disk; everything stored until then stays.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after what was running has been ended.
    """
    raise NotImplementedError
