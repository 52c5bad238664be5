"""What converts, and how well: python -m onnxray.models.conversion.report [--zoo FOLDER] [--suspects FOLDER].

Four parts, each printed as tables and written to a JSON file: the backend tests that ship with onnx, whole models of a
zoo (see build.py), third-party models, and channels pruned in the twin and written back (see round_trip.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.progress import track

from .build import FAILED
from .examine import Finding, State, examine
from .families import names
from .node_gradients import GradientResult, check_gradient
from .node_tests import Outcome, Result, cases, run
from .report_tables import failure_table, family_table, gradient_line, node_table, operator_line, suspect_table

_FILES_A_PROCESS = 8  # a process that has held many large models gives their memory back by ending
Job = tuple[Path, Path | None]


@click.command()
@click.option("--zoo", type=click.Path(path_type=Path), help="Folder with one sub-folder for each family.")
@click.option("--suspects", type=click.Path(path_type=Path), help="Folder with manifest.json.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with DATASET.npz for the suspects.")
@click.option("--nodes/--no-nodes", default=True, show_default=True, help="Run the backend tests of single operators.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON file that gets all of it.")
def main(zoo: Path | None, suspects: Path | None, data: Path | None, nodes: bool, output: Path | None) -> None:
    """Convert everything there is, hold it against onnxruntime, and print what came of it."""
    console = Console(width=170)
    families = {name: _examined(console, name, _zoo_jobs(zoo / name)) for name in names() if zoo and _built(zoo / name)}
    strangers = _examined(console, "suspects", list(_suspect_jobs(suspects, data))) if suspects else []
    results = [run(case) for case in track(cases(), "node tests", console=console, transient=True)] if nodes else []
    everything = [finding for found in (*families.values(), strangers) for finding in found]
    if results:
        gradients = [check_gradient(r.case) for r in results if r.outcome is Outcome.MATCH]
        _print_nodes(console, results, gradients, everything)
    if families:
        unbuilt = {name: _refused(zoo / name) for name in families if zoo}
        console.print(family_table(families, unbuilt))
        console.print(failure_table([f for found in families.values() for f in found]))
    if strangers:
        console.print(suspect_table(strangers))
    missing = [name for name in names() if zoo and name not in families]
    if missing:
        console.print(f"Not built, so not looked at: {', '.join(missing)}.")
    if output:
        _write(output, results, families, strangers)


def _built(folder: Path) -> bool:
    return any(folder.glob("*.onnx"))


def _refused(folder: Path) -> dict[str, str]:
    """Models that their own exporter could not write, with its reason."""
    noted = folder / FAILED
    return dict(json.loads(noted.read_text(encoding="utf-8"))) if noted.is_file() else {}


def _zoo_jobs(folder: Path) -> list[Job]:
    return [(path, None) for path in sorted(folder.glob("*.onnx"))]


def _suspect_jobs(folder: Path, data: Path | None) -> Iterator[Job]:
    """Every model of a manifest, with its data set where that is at hand."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for entry in (entry for part in manifest.values() if isinstance(part, list) for entry in part):
        words = str(entry.get("dataset") or entry.get("data_and_preprocessing") or "").split()
        pictures = data / f"{words[0]}.npz" if data and words else None
        yield folder / entry["file"], pictures if pictures and pictures.is_file() else None


def _examined(console: Console, title: str, jobs: list[Job]) -> list[Finding]:
    """Examine each file in a process of its own kind, so that one that dies takes only itself along."""
    found: list[Finding] = []
    for start in track(range(0, len(jobs), _FILES_A_PROCESS), title, console=console, transient=True):
        found += _batch(jobs[start : start + _FILES_A_PROCESS])
    return found


def _batch(jobs: list[Job]) -> list[Finding]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return list(pool.map(examine, *zip(*jobs, strict=True)))
        except BrokenProcessPool:
            if len(jobs) == 1:
                return [Finding(jobs[0][0].stem, State.ESCAPED, "", reason="the process died")]
    return [finding for job in jobs for finding in _batch([job])]


def _print_nodes(
    console: Console, results: list[Result], gradients: list[GradientResult], found: list[Finding]
) -> None:
    console.print(node_table(results))
    console.print(gradient_line(gradients))
    if found:
        console.print(operator_line(results, found))


def _write(path: Path, results: list[Result], families: dict[str, list[Finding]], strangers: list[Finding]) -> None:
    content = {
        "nodes": {r.case.name: {"outcome": r.outcome.value, "reason": r.reason} for r in results},
        "families": {name: [f.as_json() for f in found] for name, found in families.items()},
        "suspects": [f.as_json() for f in strangers],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
