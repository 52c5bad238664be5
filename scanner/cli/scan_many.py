"""``onnxray scan`` of many models: inventory, batch, and what is told of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.exceptions import Exit
from rich.console import Console

from ...converters.messages import one_line
from ..answers import State
from ..batch import BatchOptions, run_batch
from ..catalog import inventory
from ..errors import OnnxrayError
from ..executors import Executor
from ..registry import build, plugins
from ..store import Store
from .batch_flags import DEFAULT_STORE, EXECUTORS
from .batch_progress import batch_progress
from .catalog_listing import print_listing
from .catalog_output import Output
from .documents import check_many
from .exit_codes import ExitCode
from .policy_flags import policy_of

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..config import ScanOptions

__all__ = ["scan_many"]


def scan_many(paths: Sequence[str], options: ScanOptions, form: str, flags: dict[str, Any]) -> ExitCode:
    """Scan all that the paths and the manifest name, tell what was found, and return the worst code of it all.

    Raises:
        click.UsageError: the form shows one model only.
        OnnxrayError: the manifest, an option, the store or the output folder is wrong; no model's fault raises.
    """
    check_many(form)
    executor = _executor(flags)
    catalog = _catalog(paths, flags["manifest"], flags["quiet"])
    if not catalog.entries and not catalog.unscanned:
        what = ", ".join(map(one_line, paths)) or one_line(flags["manifest"])
        click.echo(f"onnxray: nothing to scan: no model in {what}", err=True)
        return ExitCode.NOTHING
    if flags["listing"]:
        print_listing(catalog, form)
        return ExitCode.PASS if catalog.entries else ExitCode.ERROR
    if flags["output"]:
        _made(flags["output"])  # before hours of work, not after
    with Store.open(flags["store"] or DEFAULT_STORE) as store:
        _say(store.notes, flags["quiet"])
        _run(catalog, store, executor, _batch(options, flags), flags["quiet"])
        return _tell(store, form, flags)


def _executor(flags: dict[str, Any]) -> Executor:
    """The executor with its options, which are taken out of those for the methods."""
    name = flags["executor"] or "local"
    options = dict(flags["settings"].pop(name, {}))
    if flags["workers"]:
        options["workers"] = flags["workers"]
    return build(plugins(EXECUTORS, Executor)[name], options)  # type: ignore[type-abstract]


def _catalog(paths: Sequence[str], manifest: Path | None, quiet: bool) -> Catalog:
    """What there is to scan; a spinner on a terminal, as reading or fetching a large catalog takes its time."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return inventory(paths, manifest=manifest, told=lambda line: _say([line], quiet))
    with console.status("looking for models", spinner="line"):
        return inventory(paths, manifest=manifest, told=lambda line: console.print(f"onnxray: {line}", markup=False))


def _batch(options: ScanOptions, flags: dict[str, Any]) -> BatchOptions:
    return BatchOptions(
        data=flags["data"],
        training_data=flags["training_data"],
        options=options,
        shard=flags["shard"] or (1, 1),
        retry=flags["retry"],
        max_memory=flags["max_memory"],
        sandbox=not flags["no_sandbox"],
    )


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OnnxrayError(f"{one_line(folder)}: cannot be made: {error.strerror or error}") from None


def _say(lines: Sequence[str], quiet: bool) -> None:
    for line in lines if not quiet else ():
        click.echo(f"onnxray: {one_line(line, 1000)}", err=True)


def _run(catalog: Catalog, store: Store, executor: Executor, batch: BatchOptions, quiet: bool) -> None:
    try:
        with batch_progress(quiet) as watcher, redirect_stdout(sys.stderr):
            run_batch(catalog, store, executor, batch, watcher)
    except KeyboardInterrupt:
        now, where = watcher.state.snapshot(), one_line(store.path)
        none = now.labels.get("not scanned", 0)
        done = f"{now.settled - none} of {now.total - none} scans are done and kept in {where}"
        click.echo(f"onnxray: interrupted: {done}; the same command goes on from there", err=True)
        raise Exit(ExitCode.INTERRUPTED) from None


def _tell(store: Store, form: str, flags: dict[str, Any]) -> ExitCode:
    """Print the answers, write their files, and judge them; what other shards do is not waited for."""
    output = Output(
        lambda files: (
            answer
            for answer in store.answers(listing=store.listing, files=files)
            if not (flags["shard"] and answer.state is State.WAITING)
        ),
        policy_of(flags),
        store.path,
    )
    code = output.print_all(form, brief=True)
    if flags["output"]:
        output.write(flags["output"])
    if form == "text":
        click.echo("\n".join(["", *output.next_steps(flags["output"])]))
    elif not flags["quiet"]:
        click.echo(f"onnxray: results are kept in {one_line(store.path)}", err=True)
    # More parts than models: one that has none has done its work.
    return ExitCode.PASS if flags["shard"] and code is ExitCode.NOTHING else code
