"""Answers as a document: on standard output, or in a file that is written in one step."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import rich_click as click

from ..registry import build, names, plugins
from .flags import DOCUMENTS
from .whole_file import write_whole

if TYPE_CHECKING:
    from ..answers import Answer
    from ..policy import Policy

__all__ = ["check_many", "document_of", "for_terminals", "print_document", "write_document"]

LINES = {"json": "jsonl"}  # one object for one model, one a line for many
_FOR_BROWSERS = ("html",)


def document_of(form: str) -> str:
    """The id of the document that a form of many models is."""
    return LINES.get(form, form)


def for_terminals(form: str, instead: str) -> None:
    """Refuse to fill a terminal with what only a browser shows; ``instead`` says what to type.

    Raises:
        click.UsageError: standard output is a terminal.
    """
    if form in _FOR_BROWSERS and sys.stdout.isatty():
        raise click.UsageError(f"-f {form} is for a browser, not for a terminal: {instead}")


def check_many(form: str) -> None:
    """Refuse a form that shows one model only.

    Raises:
        click.UsageError: it is such a form.
    """
    able = ["text", "json", *names(DOCUMENTS)]
    if form not in able:
        raise click.UsageError(f"-f {form} shows one model; expected for many one of {', '.join(sorted(set(able)))}")


def _pieces(form: str, answers: Iterable[Answer], policy: Policy | None) -> Iterator[bytes]:
    from ..documents import Document

    plugin = plugins(DOCUMENTS, Document)[document_of(form)]  # type: ignore[type-abstract]
    shared = [field.name for field in fields(plugin) if hasattr(policy, field.name)]  # type: ignore[arg-type]
    document = build(plugin, msgspec.to_builtins({name: getattr(policy, name) for name in shared}))
    return (piece.encode("utf-8", "backslashreplace") for piece in document.render(answers))


def print_document(form: str, answers: Iterable[Answer], policy: Policy | None = None) -> None:
    """Write the document to standard output, piece by piece.

    Args:
        policy: what fails; a document's options that are named like the policy's are the same.
    """
    for piece in _pieces(form, answers, policy):
        click.echo(piece, nl=False)


def write_document(form: str, answers: Iterable[Answer], path: Path, policy: Policy | None = None) -> None:
    """Write the document into a file, which is there as a whole or not at all.

    Args:
        policy: see ``print_document``.

    Raises:
        OnnxrayError: the file cannot be written.
    """
    write_whole(path, _pieces(form, answers, policy))
