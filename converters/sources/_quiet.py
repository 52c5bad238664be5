"""Exporters print, warn and log; what matters of it is told in the summary."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

__all__ = ["quiet"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Python's standard output, warnings and logging below critical to ourselves; not for several threads."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        out, errors = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with out, errors, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
