"""``onnxray bench``: measure this tool; joins the command line through the entry points ``onnxray.commands``."""

from __future__ import annotations

import rich_click as click

from .bench.command import detection
from .bench.filter_command import filters
from .bench.repair_command import repair
from .bench.report_command import report
from .speed.audit import audit
from .speed.command import speed

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Measure how often the tool is right, beside its peers, and how fast it is on this machine."""


bench.add_command(audit)
bench.add_command(detection)
bench.add_command(filters)
bench.add_command(repair)
bench.add_command(report)
bench.add_command(speed)
