"""``onnxray filter``: a backdoored model in, the same with an output that flags stamped inputs out."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ...converters.messages import one_line
from ..errors import OptionError
from .flags import PATH, samples_flag, settings_of, trigger_flag, work_flags
from .progress import progress_bar

if TYPE_CHECKING:
    from ..filtering import FilterReport
    from ..findings import Rate


@click.command("filter")
@click.argument("model", type=PATH)
@click.option("--data", required=True, type=PATH, metavar="PATH", help="Clean labelled pictures, as for a scan.")
@click.option("-o", "--output", required=True, type=PATH, metavar="OUT.onnx", help="The file to write.")
@trigger_flag
@click.option(
    "--measure", type=PATH, metavar="FILE", multiple=True,
    help="Another trigger that the filter is not made from, to measure it with; may be repeated.",
)  # fmt: skip
@samples_flag
@click.option(
    "--set", "settings", callback=settings_of, metavar="filter.OPTION=VALUE", multiple=True,
    help="Option of the filter (see onnxray explain filter), or of neural-cleanse, which scans; may be repeated.",
)  # fmt: skip
@work_flags
def filter_(
    model: Path, data: Path, output: Path, trigger: Path | None, measure: tuple[Path, ...], form: str, quiet: bool,
    **flags: Any,
) -> None:  # fmt: skip
    """Write MODEL with two more outputs: a score of how stamped an input looks, and whether it is flagged.

    Use it where a backdoored model must stay in service. The answers stay the same to the bit. The threshold, in
    OUT.json beside the file too, lets about 5 % of clean pictures be flagged; what is flagged and missed is measured on
    held-out pictures. A file with a filter has several outputs: give its scores' name with --scores where it is scanned
    again.

    \b
    Examples:
      onnxray filter model.onnx --data test.npz --trigger report/ -o filtered.onnx
      onnxray filter model.onnx --data test.npz --set filter.false_positives=0.01 -o filtered.onnx

    \b
    Exit codes:
      0    written
      2    error, or no trigger was found
      4    wrong usage
      130  interrupted

    \b
    See also:
      onnxray repair            takes a backdoor out
      docs/methods/filter.md    how the score is made
    """
    if output.suffix.lower() != ".onnx":
        raise click.BadParameter(f"expected a name that ends in .onnx, got {str(output)!r}", param_hint="-o")
    report = _report(model, data, output, trigger, measure, flags, quiet)
    click.echo(report.to_json() if form == "json" else _text(report))


def _report(
    model: Path, data: Path, output: Path, trigger: Path | None, measure: tuple[Path, ...], flags: dict[str, Any],
    quiet: bool,
) -> FilterReport:  # fmt: skip
    from ..domain_search import DomainOverrides
    from ..filtering import add_filter
    from ..repair_report import RepairOptions

    if unused := sorted(set(flags["settings"]) - {"filter", "neural-cleanse", "patch-search"}):
        raise OptionError(f"options were given for {', '.join(unused)}, which plays no part in a filter")
    overrides = DomainOverrides(**{name: flags[name] for name in ("layout", "input_range", "mean", "std", "bgr")})
    kept = {name: flags[name] for name in ("settings", "samples", "seed", "device", "scores")}
    options = RepairOptions(**kept, method="filter", overrides=overrides)
    with progress_bar(not quiet) as progress, redirect_stdout(sys.stderr):
        return add_filter(model, data, output, options, trigger, measure, progress)


def _text(report: FilterReport) -> str:
    lines = [one_line(report.model), "", f"{'clean, flagged'.ljust(24)} {_shown(report.false_positives)}"]
    for source, trigger, rate in report.missed:
        lines.append(f"{f'stamped for {trigger.target}, missed'.ljust(24)} {_shown(rate)} {one_line(source)}")
    lines += ["", f"written {one_line(report.out)} and {one_line(report.out.with_suffix('.json'))}: {report.note}"]
    return "\n".join(lines)


def _shown(rate: Rate) -> str:
    return f"{rate.value:6.1%}  {rate.hits} of {rate.trials}" if rate.trials else "no held-out samples"
