"""``python -m onnxray.models.fuzz``: many mutants, and whether any of them hurt."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

import rich_click as click

from ...scanner.cli.exit_codes import ExitCode, exits
from ...scanner.cli.progress import progress_bar
from ...scanner.sandbox import Limits
from .run import GIB, Outcome, audited, confined, watched

MOST_SECONDS = 10.0  # for the audit of one mutant, on a machine that does much else
MOST_MEMORY = 1.5  # GiB of this process


@click.command()
@click.option("--mutants", type=click.IntRange(min=0), default=20_000, show_default=True, help="Audited here.")
@click.option("--confined", "run", type=click.IntRange(min=0), default=300, show_default=True, help="Opened and run.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all mutants.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Folder for mutants that broke something."
)
@click.pass_context
def fuzz(context: click.Context, /, mutants: int, run: int, seed: int, keep: Path | None) -> None:
    """Change real models at random, and put them to the audit, and some to the sandbox; ends with 1 if any hurt."""
    with exits(context), progress_bar(enabled=True) as progress, tempfile.TemporaryDirectory() as name:
        folder, started = Path(name), perf_counter()
        with watched(folder) as noted:
            static = audited(seed, mutants, folder, progress)
        seconds = perf_counter() - started
        (inside := folder / "confined").mkdir()
        canary = sorted(p.name for p in folder.iterdir())
        dynamic = confined(seed + 1, run, inside, Limits(memory=3 * GIB, silence=30.0), progress)
        stray = sorted(p.name for p in folder.iterdir()) != canary or len(list(inside.iterdir())) != run
    _keep(keep, static, dynamic)
    problems = [*(f"{what} ({count})" for what, count in static.broken.items()), *sorted(set(noted))[:20]]
    problems += [f"one audit took {static.slowest:.1f} seconds"] if static.slowest > MOST_SECONDS else []
    problems += ["a confined process left files behind"] if stray else []
    problems += [f"this process held {_memory():.2f} GiB"] if _memory() > MOST_MEMORY else []
    click.echo(
        f"audited   {static.mutants} mutants in {seconds:.0f} s: {_told(static)}; slowest {static.slowest:.2f} s"
    )
    click.echo(f"confined  {dynamic.mutants} mutants: {_told(dynamic)}")
    click.echo(f"memory    at most {_memory():.2f} GiB in this process")
    for problem in problems:
        click.echo(f"PROBLEM   {problem}")
    context.exit(ExitCode.FOUND if problems else ExitCode.PASS)


def _told(outcome: Outcome) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in outcome.kinds.most_common())


def _memory() -> float:
    """Most memory that this process has held, in GiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def _keep(folder: Path | None, *outcomes: Outcome) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for number, (what, content) in enumerate(item for outcome in outcomes for item in outcome.kept.items()):
        (folder / f"{number:03}.onnx").write_bytes(content)
        (folder / f"{number:03}.txt").write_text(what + "\n", encoding="utf-8")


if __name__ == "__main__":
    fuzz()
