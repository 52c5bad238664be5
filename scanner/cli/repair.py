"""``onnxray repair``: a backdoored model in, a repaired one out, or a clear no."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ...converters.messages import one_line
from ..errors import OptionError
from ..registry import names
from .choices import MethodChoice, setting_names
from .exit_codes import ExitCode
from .flags import PATH, samples_flag, settings_of, trigger_flag, work_flags
from .progress import progress_bar

if TYPE_CHECKING:
    from ..findings import Evaluation
    from ..repair_report import Attempt, RepairReport

REPAIRS = "onnxray.scanner.repairs"


@click.command()
@click.argument("model", type=PATH)
@click.option("--data", required=True, type=PATH, metavar="PATH", help="Clean labelled pictures, as for a scan.")
@click.option(
    "--training-data",
    type=PATH,
    metavar="PATH",
    is_eager=True,  # before --set
    help="The model's training set, where it may be poisoned; for relabel.",
)
@click.option("-o", "--output", required=True, type=PATH, metavar="OUT.onnx", help="The file to write.")
@click.option(
    "--method", type=MethodChoice(["auto", *names(REPAIRS)]), metavar="ID", default="auto", show_default=True,
    is_eager=True,  # before --set
    help="The repair to try; auto tries one after the other.",
)  # fmt: skip
@trigger_flag
@click.option(
    "--tolerance", type=click.FloatRange(0, 100), metavar="POINTS", default=1.5, show_default=True,
    help="Clean accuracy that may be lost on held-out samples, in percentage points.",
)  # fmt: skip
@click.option(
    "--rounds", type=click.IntRange(1, 10), metavar="N", default=3, show_default=True,
    help="Most times that a method goes on with its own result, where a re-scan still finds a trigger.",
)  # fmt: skip
@samples_flag
@click.option(
    "--set", "settings", callback=settings_of, metavar="ID.OPTION=VALUE", multiple=True, shell_complete=setting_names,
    help="Option of a method, or of a detector that scans; may be repeated.",
)  # fmt: skip
@click.option(
    "--store", type=PATH, metavar="FILE",
    help="Also keep what came of it in this store of results, whose documents then show it with the model.",
)  # fmt: skip
@work_flags
@click.pass_context
def repair(
    context: click.RichContext, /, model: Path, data: Path, output: Path, trigger: Path | None, store: Path | None,
    form: str, quiet: bool, **flags: Any,
) -> None:  # fmt: skip
    """Take the backdoor out of MODEL and write OUT.onnx, if clean accuracy can be held.

    Use it where a scan has found a trigger and no clean model is to be had. Every result is judged in onnxruntime on
    held-out samples and scanned again with a fresh seed. The weights are edited in the original file: all else stays as
    it is. That a repair closes the triggers that were found does not prove that there is no other.

    \b
    Examples:
      onnxray repair model.onnx --data test.npz -o repaired.onnx
      onnxray repair model.onnx --data test.npz --trigger report/ --method unlearn -o repaired.onnx
      onnxray repair model.onnx --data test.npz --training-data train.npz --method relabel -o repaired.onnx
      onnxray repair zoo/a.onnx --data test.npz -o a.onnx --store onnxray-results.sqlite

    \b
    Exit codes:
      0    repaired
      1    nothing worked, or nothing was found to repair; nothing was written
      2    error
      4    wrong usage
      130  interrupted

    \b
    See also:
      onnxray scan       finds the triggers to close, and judges the result
      onnxray explain    the methods
      docs/repair.md     what each costs and closes
    """
    if output.suffix.lower() != ".onnx":
        raise click.BadParameter(f"expected a name that ends in .onnx, got {str(output)!r}", param_hint="-o")
    from .results_query import existing_store, keep_repair

    if store is not None:
        existing_store(store)  # before the work
    report = _report(model, data, output, trigger, flags, quiet)
    told = _json(report)
    click.echo(told if form == "json" else _text(report))
    if store is not None and (note := keep_repair(store, report.model.sha256, told)):
        click.echo(f"onnxray: {note}", err=True)
    context.exit(ExitCode.PASS if report.out else ExitCode.FOUND)


def _report(
    model: Path, data: Path, output: Path, trigger: Path | None, flags: dict[str, Any], quiet: bool
) -> RepairReport:
    from .. import repair as pipeline
    from ..domain_search import DomainOverrides
    from ..repair_report import RepairOptions

    if output.exists() and model.exists() and output.samefile(model):
        raise OptionError(f"{output}: the original, which is never modified; name another file")
    overrides = DomainOverrides(**{name: flags[name] for name in ("layout", "input_range", "mean", "std", "bgr")})
    kept = {name: flags[name] for name in ("method", "settings", "rounds", "samples", "seed", "device", "scores")}
    options = RepairOptions(**kept, tolerance=flags["tolerance"] / 100, overrides=overrides)
    suspects = flags["training_data"]
    with progress_bar(not quiet) as progress, redirect_stdout(sys.stderr):
        return pipeline.repair(model, data, output, options, trigger, progress, suspects)


def _text(report: RepairReport) -> str:
    from ..repair_report import CLOSES

    lines = [f"{one_line(report.model.path)}", ""]
    lines += [f"  {_attempt(attempt)}" for attempt in report.attempts]
    if report.attempts:
        lines.append("")
    if report.out is None or report.after is None:
        return "\n".join([*lines, f"not repaired: {report.reason}; nothing was written", *report.notes])
    rows = [("held-out samples", "before", "after"), *_rows(report.before, report.after)]
    width = max(24, *(len(name) for name, _, _ in rows))
    lines += [f"{name.ljust(width)} {one:>8} {two:>8}" for name, one, two in rows]
    weights = f"{sum(report.edited.values())} elements of {len(report.edited)} weights"
    done = f"{report.added} nodes added" if report.added else weights
    lines += ["", f"written {one_line(report.out)} by {report.method}: {done}", *report.notes]
    return "\n".join([*lines, CLOSES])


def _attempt(attempt: Attempt) -> str:
    name = f"{attempt.method}, round {attempt.round}".ljust(26)
    found = ""
    if attempt.evaluation is not None:
        worst = max((rate.value for _, rate in attempt.evaluation.attack_success), default=0.0)
        found = f"accuracy {attempt.evaluation.clean_accuracy.value:.1%}, attack {worst:.1%}; "
    rescan = f"; re-scan: {attempt.rescan.label.value}" if attempt.rescan and not attempt.problem else ""
    return f"{name} {found}{attempt.problem or attempt.note}{rescan} ({attempt.seconds:.0f} s)"


def _rows(before: Evaluation, after: Evaluation) -> Iterator[tuple[str, str, str]]:
    from ..repair_report import worst_attacks

    yield "clean accuracy", f"{before.clean_accuracy.value:.1%}", f"{after.clean_accuracy.value:.1%}"
    for attack in worst_attacks(before, after):
        what = "attack that moves every class" if attack.target is None else f"attack on class {attack.target}"
        several = f" (worst of {attack.triggers} triggers)" if attack.triggers > 1 else ""
        yield f"{what}{several}", f"{attack.before:.1%}", f"{attack.after:.1%}"


def _json(report: RepairReport) -> str:
    told = {
        "schema": "onnxray/repair/1",
        "model": {"path": report.model.path, "sha256": report.model.sha256},
        "repaired": report.out is not None,
        "output": str(report.out) if report.out else None,
        "method": report.method or None,
        "reason": report.reason,
        "before": _numbers(report.before),
        "after": _numbers(report.after),
        "edited": dict(report.edited),
        "added_nodes": report.added,
        "scan": report.scan.label.value if report.scan else None,
        "attempts": [
            {
                "method": a.method, "round": a.round, "note": a.note, "problem": a.problem,
                "rescan": a.rescan.label.value if a.rescan else None, "seconds": round(a.seconds, 3),
                "evaluation": _numbers(a.evaluation),
            }
            for a in report.attempts
        ],
        "notes": list(report.notes),
        "tolerance": report.options.tolerance,
        "seed": report.options.seed,
    }  # fmt: skip
    return json.dumps(told, indent=2)


def _numbers(evaluation: Evaluation | None) -> dict[str, object] | None:
    if evaluation is None:
        return None
    attacks = [
        {
            "target": t.target, "mapping": None if t.mapping is None else [int(c) for c in t.mapping],
            "rate": r.value, "hits": r.hits, "trials": r.trials,
        }
        for t, r in evaluation.attack_success
    ]  # fmt: skip
    return {
        "clean_accuracy": evaluation.clean_accuracy.value,
        "attacks": attacks,
        "samples": evaluation.samples,
        "provider": evaluation.provider,
    }
