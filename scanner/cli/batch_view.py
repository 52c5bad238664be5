"""The live view of a batch: one overall bar, a count for each answer, and a line for each running model."""

from __future__ import annotations

from collections.abc import Callable

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...converters.messages import one_line
from .batch_state import Running, Snapshot
from .terminal import LOOKS

__all__ = ["BatchView", "counts", "lasting"]

_ROOMY = 100  # columns from which each worker has a bar of its own
_FRAME = 5  # lines that are not running models, with one to spare


class BatchView:
    """Draws whatever ``snapshot`` says at the moment at which it is drawn."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See ``rich.protocol``."""
        now = self._snapshot()
        yield _overall(now)
        yield Padding(Columns(counts(now), padding=(0, 3)), (0, 0, 0, 2))
        room = max(1, console.height - _FRAME)
        yield _workers(now.running[:room], options.max_width)
        if len(now.running) > room:
            yield Text(f"  and {len(now.running) - room} more are running", "dim")


def _overall(now: Snapshot) -> Table:
    bar = _bar(max(now.total, 1), now.settled + sum(one.fraction for one in now.running))
    words = Text.assemble((f"{now.settled} of {now.total} models", "bold"))
    pace = [f"{now.per_minute:.1f} a minute"] if now.per_minute else []
    if now.left is not None and now.settled < now.total:
        pace.append(f"{lasting(now.left)} left")
    line = Table.grid(expand=True, padding=(0, 2, 0, 0))
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True)
    line.add_row(words, bar, Text(", ".join(pace), "cyan"))
    return line


def _bar(total: float, done: float, width: int | None = None) -> ProgressBar:
    return ProgressBar(total, done, width, style="grey23", complete_style="cyan", finished_style="green")


def counts(now: Snapshot) -> list[Text]:
    """ "✖ 2 backdoored", "✔ 8 clean", "2 running", "286 waiting": what there is any of."""
    parts = [
        Text(f"{symbol} {now.labels[label]} {label}", colour)
        for label, (symbol, colour) in LOOKS.items()
        if now.labels.get(label) and label != "waiting"
    ]
    waiting = ((len(now.running), "running"), (now.waiting, "waiting"))
    return parts + [Text(f"{number} {word}", "dim") for number, word in waiting if number]


def _workers(running: tuple[Running, ...], width: int) -> Table:
    """A line each; columns keep their widths whatever the workers say, so that nothing jumps."""
    barred = width >= _ROOMY
    told = max(8, min(32, width // 3))
    named = max(8, width - told - (34 if barred else 21))
    lines = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    lines.add_column(max_width=named + 2)
    lines.add_column(width=told)
    for one in running:
        bar = [_bar(1.0, one.fraction, 12)] if barred else []
        name = "  " + _end_of(one_line(one.name, 1000), named)
        share, seconds = Text(f"{one.fraction:4.0%}", "dim"), Text(lasting(one.seconds), "dim")
        lines.add_row(Text(name), Text(one_line(one.text, told)), *bar, share, seconds)
    return lines


def _end_of(name: str, width: int) -> str:
    """The end of a name is what tells it from its neighbours."""
    return name if len(name) <= width else "…" + name[1 - width :]


def lasting(seconds: float) -> str:
    """ "12 s", "3 min", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
