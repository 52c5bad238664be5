"""The flags of ``onnxray scan``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from ..axes import LAYOUTS
from ..registry import names
from .choices import MethodChoice, setting_names
from .exit_codes import DEBUG
from .methods import methods_for

__all__ = [
    "DETECTORS", "DOCUMENTS", "FORMATS", "PATH", "PATHS", "input_flags", "note_debug", "output_flags", "samples_flag",
    "scan_flags", "settings_of", "trigger_flag", "work_flags",
]  # fmt: skip

Command = TypeVar("Command", bound=Callable[..., Any])

DETECTORS = "onnxray.scanner.detectors"
FORMATS = "onnxray.scanner.reports"
DOCUMENTS = "onnxray.scanner.documents"


class _Path(click.Path):
    """A path that is not empty, which would be the current folder; an unreadable one gets our own line later."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """See ``click.ParamType.convert``."""
        if not str(value).strip():
            self.fail("expected a path, got an empty one", parameter, context)
        return super().convert(value, parameter, context)


PATH = _Path(path_type=Path, readable=False)
PATHS = _Path(path_type=str, readable=False)
"""Of a scan: a path would turn the two slashes of hf:// into one."""


def _seconds(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and value != value:  # not a number, which is neither below nor above any bound
        raise click.BadParameter("expected a number of seconds, got nan")
    return value


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """ "0.485,0.456,0.406" as numbers."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"expected numbers with commas between them, got {value!r}") from None


def settings_of(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, dict[str, object]]:
    """ "neural-cleanse.steps=500" ... as id -> option -> value, over what files set; the methods read the values."""
    settings = methods_for(context)
    for value in values:
        key, equals, setting = value.partition("=")
        detector, dot, option = key.partition(".")
        if not (equals and dot and option):
            raise click.BadParameter(f"expected ID.OPTION=VALUE, got {value!r}")
        settings.setdefault(detector, {})[option] = setting
    return settings


def note_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Callback of ``--debug``: where errors are told, tracebacks are then shown."""
    context.meta[DEBUG] = value


_scan = partial(click.option, panel="Scan")
_input = partial(click.option, panel="The model's input and output")
_output = partial(click.option, panel="Output")

_SCAN = (
    _scan(
        "--data",
        type=PATH,
        metavar="PATH",
        help="Clean labelled pictures: an .npz with x and y, a folder with a sub-folder for each class, or a .csv or "
        ".parquet of paths and labels. Without them little can be checked, and the verdict is never clean.",
    ),
    _scan(
        "--training-data",
        type=PATH,
        metavar="PATH",
        help="The model's training set, where it may be poisoned: in the same forms, or an .npz of token ids or other "
        "rows of numbers. Its suspicious samples are listed.",
    ),
    _scan(
        "--samples",
        type=click.IntRange(min=2),
        metavar="N",
        default=200,
        show_default=True,
        help="Most pictures used: half to search with, half to verify.",
    ),
    _scan(
        "--detector",
        "detectors",
        type=MethodChoice(names(DETECTORS)),
        metavar="ID",
        multiple=True,
        is_eager=True,  # before --set
        help="Method to run, may be repeated; if left out, all but those that run on request only.",
    ),
    _scan(
        "--also",
        type=MethodChoice(names(DETECTORS)),
        metavar="ID",
        multiple=True,
        is_eager=True,  # before --set
        help="Method to run beside those, such as pair-search; may be repeated.",
    ),
    _scan(
        "--set",
        "settings",
        callback=settings_of,
        shell_complete=setting_names,
        metavar="ID.OPTION=VALUE",
        multiple=True,
        help="Option of a method (see onnxray explain), may be repeated.",
    ),
    _scan("--seed", type=click.IntRange(0, 2**31), metavar="N", default=0, show_default=True, help="Of randomness."),
    _scan(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where the searches run.",
    ),
    _scan(
        "--max-seconds",
        type=click.FloatRange(min=0, min_open=True),
        callback=_seconds,
        metavar="SECONDS",
        help="When to stop the methods, from the scan's start on; a scan cut short is never called clean.",
    ),
)

_INPUT = (
    _input("--layout", type=click.Choice(LAYOUTS), metavar="AXES", help=f"Axes of the input: {', '.join(LAYOUTS)}."),
    _input("--range", "input_range", metavar="LOW,HIGH", help="What black and white become, such as 0,255."),
    _input("--mean", callback=_numbers, metavar="LIST", help="Subtracted: one number, or one for each channel."),
    _input("--std", callback=_numbers, metavar="LIST", help="Divided by: one number, or one for each channel."),
    _input("--bgr/--rgb", default=None, help="Blue or red first."),
    _input("--scores", metavar="NAME", help="The output that holds the scores, where the file has several."),
)

_FORMS = sorted({*names(FORMATS), *names(DOCUMENTS)})
_OUTPUT = (
    _output(
        "-f",
        "--format",
        "form",
        type=click.Choice(_FORMS),
        metavar="FORM",
        default="text",
        show_default=True,
        help=f"What standard output gets: {', '.join(_FORMS[:-1])} or {_FORMS[-1]}.",
    ),
    _output(
        "-o",
        "--output",
        type=PATH,
        metavar="DIR",
        help="Folder for report.json and the pictures; if left out, onnxray-report/MODEL with -f text, else none. Of "
        "many models a folder each, and index.html.",
    ),
    _output("-q", "--quiet", is_flag=True, help="No progress bar and no notes on standard error."),
    _output(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=note_debug,
        help="Show tracebacks: of an internal error, of a method that broke.",
    ),
)


trigger_flag = click.option(
    "--trigger", type=PATH, metavar="FILE",
    help="An .npz with mask, pattern and target, or the folder of a scan's report; a scan finds it if left out.",
)  # fmt: skip
samples_flag = click.option(
    "--samples", type=click.IntRange(min=4), metavar="N", default=1000, show_default=True,
    help="Most pictures used: half to work on, half held out.",
)  # fmt: skip
_WORK = (
    click.option(
        "--seed", type=click.IntRange(0, 2**30), metavar="N", default=0, show_default=True, help="Of randomness."
    ),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    *_INPUT,
    click.option(
        "-f", "--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True,
        help="What standard output gets.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress bar."),
    click.option(
        "--debug", is_flag=True, expose_value=False, callback=note_debug, help="Show tracebacks of internal errors."
    ),
)  # fmt: skip


def work_flags(command: Command) -> Command:
    """What commands that make a new model share: seed, device, input, and what is told."""
    return _applied(_WORK, command)


def scan_flags(command: Command) -> Command:
    """What is scanned, with which methods and how long."""
    return _applied(_SCAN, command)


def input_flags(command: Command) -> Command:
    """What the user knows about the model's input and output; the scan finds out the rest."""
    return _applied(_INPUT, command)


def output_flags(command: Command) -> Command:
    """What comes out."""
    return _applied(_OUTPUT, command)


def _applied(flags: tuple[Callable[..., Any], ...], command: Command) -> Command:
    for flag in reversed(flags):  # click shows the flag that was applied last first
        command = flag(command)
    return command
