"""``onnxray zoo calibrate``: learn what signals are worth, from records and from a user's own clean models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from ...scanner.calibration import Calibration
    from .examples import Example

__all__ = ["calibrate"]

LEARN, CALIBRATE = ("fit",), ("calibrate",)


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="RECORDS")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
@click.option(
    "--clean", type=click.Path(path_type=Path, exists=True), multiple=True, metavar="MODEL",
    help="A model of your own that is known to be clean, or a folder of them; repeatable. The cut is made on these.",
)  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path, exists=True), metavar="PATH", help="Clean pictures for them.")
@click.option("--samples", type=click.IntRange(min=2), default=200, show_default=True, help="Of these pictures.")
def calibrate(out: Path, output: Path, clean: tuple[Path, ...], data: Path | None, samples: int) -> None:
    """Make a calibration from RECORDS, the folder of ``onnxray bench detection`` on the zoo's first two parts.

    Weights are learnt on the part fit; the curve that makes a chance of them, and the cut from which a model is
    suspicious, on the part calibrate. The part test is not read. With ``--clean`` the clean models of the part
    calibrate are replaced by your own, which are scanned first; five at least, twenty or more are better.

    \b
    Examples:
      onnxray bench detection zoo -o records --part fit --part calibrate --samples 0 --samples 200 --no-peers
      onnxray zoo calibrate records -o calibration.json
      onnxray zoo calibrate records -o ours.json --clean known-clean/ --data test.npz
      onnxray scan model.onnx --data test.npz --calibration ours.json
    """
    from ...scanner.errors import OptionError
    from ..bench.record import write_json
    from ..bench.scores import load_records
    from .examples import examples
    from .fitting import fit

    if clean and data is None:
        raise OptionError("--clean: expected --data with it, clean pictures that these models are made for")
    records = load_records(out)
    learn, hold = examples(records, LEARN), examples(records, CALIBRATE)
    own = _own(clean, data, samples)
    if own:
        hold = [e for e in hold if e.trojaned] + own
    made = _made(learn, hold, len(own), sorted({r.version for r in records}))
    found = fit(learn, hold, _searches(), made)
    write_json(found, output)
    _tell(found)


def _searches() -> tuple[str, ...]:
    """The methods that search triggers."""
    from ...scanner.detectors import Detector
    from ...scanner.registry import plugins

    known = plugins("onnxray.scanner.detectors", Detector)  # type: ignore[type-abstract]
    return tuple(name for name, kind in known.items() if not kind.nominates)


def _own(paths: Sequence[Path], data: Path | None, samples: int) -> list[Example]:
    from ...scanner.config import ScanOptions
    from ...scanner.errors import OnnxrayError
    from ...scanner.pipeline import scan
    from ...scanner.signals import signals
    from .examples import Example

    found = []
    for path in (file for given in paths for file in (sorted(given.rglob("*.onnx")) if given.is_dir() else [given])):
        try:
            report = scan(path, data, ScanOptions(samples=samples))
        except OnnxrayError as error:
            click.echo(f"left out: {error}", err=True)
            continue
        measured = signals(report.evidence, report.evaluation, report.model.classes)
        click.echo(f"{path}: {report.verdict.label}, {len(measured)} signals")
        if measured:
            found.append(Example(name=str(path).replace(" ", "_"), signals=measured, trojaned=False))
    return found


def _made(learn: Sequence[Example], hold: Sequence[Example], own: int, versions: Sequence[str]) -> dict[str, Any]:
    def told(seen: Sequence[Example]) -> dict[str, int]:
        models = {e.name.split(" ")[0]: e.trojaned for e in seen}
        return {"scans": len(seen), "models": len(models), "trojaned": sum(models.values())}

    from .fitting import FALSE_ALARMS

    return {
        "versions": list(versions), "weights_from": told(learn), "curves_from": told(hold), "own_clean_models": own,
        "false_alarms_wanted": FALSE_ALARMS,
    }  # fmt: skip


def _tell(found: Calibration) -> None:
    for name, weight in sorted(found.weights.items(), key=lambda item: -item[1]):
        click.echo(f"{name:28} {weight:6.3f} from {found.centres[name]:.2f}")
    for name, level in found.levels.items():
        click.echo(
            f"{name}: suspicious from {level.suspicious:.2f}, made on {level.clean} clean, {level.trojaned} trojaned "
            "scans"
        )
