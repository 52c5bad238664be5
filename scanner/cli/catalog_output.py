"""What leaves the command line about many models: a table, a document, folders, and the exit code."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from ...converters.messages import one_line
from ..policy import Judging, Policy
from ..registry import names
from ..suppressions import accepted
from .answer_folders import write_folders
from .answer_view import answer_view
from .batch_flags import DEFAULT_STORE
from .catalog_table import catalog_view
from .documents import print_document, write_document
from .exit_codes import ExitCode
from .flags import DOCUMENTS
from .policy_flags import told
from .rows import Row, row_of, worst_first
from .terminal import shown, terminal

if TYPE_CHECKING:
    from ..answers import Answer

__all__ = ["Output"]

_TABLE = ("text", "table")
_WITHOUT_FILES = (*_TABLE, "json", "jsonl", "csv", "junit", "sarif", "cyclonedx")


class Output:
    """The answers to one question, which may be read several times.

    Args:
        answers: reads them anew; its argument says whether they need their files.
        policy: what is accepted and what fails.
        store: the file that they are from.
    """

    def __init__(self, answers: Callable[[bool], Iterator[Answer]], policy: Policy, store: Path) -> None:
        self._answers, self._policy, self._store = answers, policy, store
        self._worst: Row | None = None

    def print_all(self, form: str, *, brief: bool = False, together: bool = True) -> ExitCode:
        """Print the answers on standard output, as a table or as a document, and judge them.

        Args:
            form: "text" or "table", or the id of a document.
            brief: leave clean models out of a long table.
            together: the worst first, and variants together; or else in the order of the answers.
        """
        judging = Judging(self._policy)
        answers = judging.over(self._answers(form not in _WITHOUT_FILES))
        if form not in _TABLE:
            print_document(form, answers, self._policy)
            return told(judging)
        rows = [row_of(answer, accepted(answer)) for answer in answers]
        self._worst = min((row for row in rows if row.score is not None), key=worst_first, default=None)
        width, more = int(str(terminal()["width"])), f"{self._command()} --label clean" if brief else ""
        click.echo(shown(catalog_view(rows, width, more, together)))
        return told(judging)

    def print_one(self, form: str) -> ExitCode:
        """Print the whole report of the first answer: as text, or as the contract's JSON object."""
        from ..contract import encode

        judging = Judging(self._policy)
        for answer in judging.over(islice(self._answers(False), 1)):
            if form == "json" and answer.report is not None:
                click.echo(encode(answer.report).encode())
            else:
                click.echo(shown(answer_view(answer, f"{self._command()} --show {shlex.quote(answer.name)}")))
        return told(judging)

    def write_document(self, form: str, path: Path) -> ExitCode:
        """Write the document into a file, and judge the answers."""
        judging = Judging(self._policy)
        write_document(form, judging.over(self._answers(form not in _WITHOUT_FILES)), path, self._policy)
        return told(judging)

    def write(self, folder: Path) -> None:
        """Write a folder for each model, and an overview for a browser where there is such a document."""
        write_folders(self._answers(True), folder)
        if "html" in names(DOCUMENTS):
            write_document("html", Judging(self._policy).over(self._answers(True)), folder / "index.html")

    def next_steps(self, folder: Path | None) -> Iterator[str]:
        """Where everything is, and what to type next."""
        yield f"Kept in {one_line(self._store)}; the same command again goes on from there."
        page = folder / "index.html" if folder else None
        if page:
            yield f"Reports and pictures are in {one_line(folder)}" + (f"; open {page}" if page.exists() else "")
        steps = [f"--show {shlex.quote(self._worst.name)}"] if self._worst is not None else []
        if "html" in names(DOCUMENTS) and not page:
            steps.append("-f html -o catalog.html")
        yield from (["Next:", *(f"  {self._command()} {step}" for step in steps)] if steps else [])

    def _command(self) -> str:
        return "onnxray results" + ("" if self._store == DEFAULT_STORE else f" {shlex.quote(str(self._store))}")
