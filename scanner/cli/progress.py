"""A progress bar on standard error, for people only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(enabled: bool) -> Iterator[Callable[[str, float], None]]:
    """A callback (text, fraction done) that moves a bar; it does nothing unless standard error is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from ...converters.messages import one_line

    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield lambda text, fraction: None
        return
    text_column = TextColumn("{task.description}", markup=False)
    columns = (text_column, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    # Gone when the scan ends: the report is what stays. Standard output is not the bar's to touch.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bars:
        task = bars.add_task("starting", total=1.0)
        yield lambda text, fraction: bars.update(task, description=one_line(text, 60), completed=fraction)
