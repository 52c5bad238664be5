"""``onnxray evaluate``: accuracy and attack success of a model, in onnxruntime."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ...converters.messages import one_line
from .flags import PATH, input_flags, note_debug

if TYPE_CHECKING:
    from ..findings import Rate
    from ..measurement import Measurement


@click.command()
@click.argument("model", type=PATH)
@click.option("--data", required=True, type=PATH, metavar="PATH", help="Clean labelled pictures, as for a scan.")
@click.option(
    "--trigger", "triggers", type=PATH, metavar="FILE", multiple=True,
    help="An .npz with mask, pattern and target, or the folder of a scan's report; may be repeated.",
)  # fmt: skip
@click.option("--samples", type=click.IntRange(min=2), metavar="N", help="Most pictures used; all if left out.")
@click.option(
    "-f", "--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True,
    help="What standard output gets.",
)  # fmt: skip
@input_flags
@click.option(
    "--debug", is_flag=True, expose_value=False, callback=note_debug, help="Show tracebacks of internal errors."
)
def evaluate(
    model: Path,
    data: Path,
    triggers: tuple[Path, ...],
    samples: int | None,
    form: str,
    scores: str | None,
    **flags: Any,
) -> None:  # fmt: skip
    """Measure MODEL's accuracy, class by class, and how often each trigger turns other classes into its target.

    Use it to see what a trigger does, before and after a repair. All in onnxruntime, on CUDA where it is usable. A
    trigger file holds mask (H, W) and pattern (C, H, W), both in [0, 1], and target; a scan's report folder holds such
    files.

    \b
    Examples:
      onnxray evaluate model.onnx --data test.npz
      onnxray evaluate model.onnx --data test.npz --trigger report/arrays-class7.npz -f json

    \b
    Exit codes:
      0    measured
      2    error
      4    wrong usage
      130  interrupted

    \b
    See also:
      onnxray scan      finds triggers
      onnxray repair    closes them
    """
    from ..domain_search import DomainOverrides
    from ..measurement import measure

    with redirect_stdout(sys.stderr):
        found = measure(model, data, triggers, samples, DomainOverrides(**flags), scores)
    click.echo(_json(found) if form == "json" else _text(found))


def _json(found: Measurement) -> str:
    told = {
        "schema": "onnxray/evaluation/1",
        "model": {"path": found.path, "sha256": found.sha256},
        "samples": found.samples,
        "input": found.domain,
        "provider": found.provider,
        "clean_accuracy": found.clean_accuracy.value,
        "class_accuracy": {str(c): r.value if r.trials else None for c, r in enumerate(found.classes)},
        "attack_success_rate": {str(target): rate.value for target, rate in found.attack_success.items()},
        "triggers": [
            {
                "file": file,
                "target": t.target,
                "mapping": t.mapping,
                "share_of_picture": t.fraction,
                "hits": r.hits,
                "trials": r.trials,
            }
            for file, t, r in found.attacks
        ],
    }
    return json.dumps(told, indent=2)


def _text(found: Measurement) -> str:
    names = found.class_names
    lines = [
        f"{'samples'.ljust(16)} {found.samples}, input {one_line(found.domain)}, {found.provider}",
        f"{'clean accuracy'.ljust(16)} {_shown(found.clean_accuracy)}",
    ]
    for index, rate in enumerate(found.classes):
        name = f" {one_line(names[index], 24)}" if index < len(names) else ""
        lines.append(f"{f'  class {index}'.ljust(16)} {_shown(rate) if rate.trials else 'no samples'}{name}")
    for file, trigger, rate in found.attacks:
        what = ("attack on all" if trigger.mapping else f"attack on {trigger.target}").ljust(16)
        lines.append(f"{what} {_shown(rate) if rate.trials else 'no samples of other classes'} {one_line(file)}")
    return "\n".join(lines)


def _shown(rate: Rate) -> str:
    return f"{rate.value:6.1%}  {rate.hits} of {rate.trials}"
