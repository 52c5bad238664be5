"""What ``onnxray results`` does with a store."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ...converters.messages import one_line
from ..errors import OnnxrayError
from ..store import Store
from .catalog_output import Output
from .exit_codes import ExitCode
from .results import SORTS

if TYPE_CHECKING:
    from ..answers import Answer
    from ..policy import Policy

__all__ = ["existing_store", "keep_repair", "merged", "show_results"]

_DIGITS = re.compile("[0-9a-f]{6,64}")


def show_results(path: Path, form: str, output: Path | None, policy: Policy, flags: Mapping[str, Any]) -> ExitCode:
    """Answer a query.

    Raises:
        OnnxrayError: the store or a file cannot be read or written, or the name fits several models.
    """
    with Store.open(existing_store(path), create=False) as store:
        for note in store.notes if not flags["quiet"] else ():
            click.echo(f"onnxray: {one_line(note, 1000)}", err=True)
        name = _meant(store, flags["show"]) if flags["show"] else ""
        out = Output(lambda files: _chosen(store, name, files, flags), policy, path)
        if not any(True for _ in _chosen(store, name, False, flags)):
            click.echo(f"onnxray: nothing in {one_line(path)} is like that", err=True)
            return ExitCode.NOTHING
        code = _told(out, form, output, flags)
        if flags["export"]:
            out.write(flags["export"])
        return code if flags["check"] else ExitCode.PASS


def _told(out: Output, form: str, output: Path | None, flags: Mapping[str, Any]) -> ExitCode:
    if output:
        return out.write_document(form, output)
    if flags["show"] and form in ("table", "json"):
        return out.print_one(form)
    return out.print_all(form, together=flags["sort"] in (None, "worst"))


def _chosen(store: Store, name: str, files: bool, flags: Mapping[str, Any]) -> Iterator[Answer]:
    order = SORTS[flags["sort"] or "name"]
    answers = store.answers(labels=flags["labels"], pattern=flags["pattern"], order=order, files=files)
    since = flags["since"].isoformat() if flags["since"] else ""
    wanted = (a for a in answers if a.ended >= since and name in ("", a.name))
    return islice(wanted, flags["limit"])


def _meant(store: Store, text: str) -> str:
    """The first name of the one model that a person means.

    Raises:
        OnnxrayError: several fit.
    """
    text = one_line(text, 1000)
    fits: list[list[str]] = [[], [], []]
    for answer in store.answers(files=False):
        if text in answer.names or (_DIGITS.fullmatch(text) and answer.sha256.startswith(text)):
            fits[0].append(answer.name)
        elif any(name.endswith(("/" + text, "!" + text)) for name in answer.names):
            fits[1].append(answer.name)
        elif any(text in name for name in answer.names):
            fits[2].append(answer.name)
    found = next((names for names in fits if names), [])
    if len(found) > 1:
        some = ", ".join(one_line(name, 200) for name in found[:3])
        raise OnnxrayError(f"{text}: fits {len(found)} models, such as {some}; give more of the name, or the sha256")
    return found[0] if found else text


def existing_store(path: Path) -> Path:
    """The path itself.

    Raises:
        OnnxrayError: there is nothing at it.
    """
    if not os.path.exists(path):
        what = "there is no such file; onnxray scan of several models makes one, elsewhere with --store"
        raise OnnxrayError(f"{one_line(path)}: {what}")
    return path


def keep_repair(path: Path, sha256: str, report_json: str) -> str:
    """Keep the JSON object of ``onnxray repair`` for a model; what there is to say of that, or "".

    Raises:
        OnnxrayError: the store cannot be read or written.
    """
    with Store.open(path, create=False) as store:
        store.add_repair(sha256, report_json)
        if any(answer.sha256 == sha256 for answer in store.answers(files=False)):
            return ""
    return f"{one_line(path)}: has no scan of a model with these bytes; the repair is shown once there is one"


def merged(out: Path, stores: Sequence[Path]) -> Iterator[str]:
    """Merge stores into one, and say of each what came of it.

    Raises:
        OnnxrayError: a store is missing, or cannot be read or written; those before it are merged.
    """
    for path in stores:
        if os.path.exists(out) and existing_store(path).samefile(out):
            raise OnnxrayError(f"{one_line(path)}: the store to merge into; name others")
    with Store.open(out) as store:
        for path in stores:
            tally = store.merge(path)
            clash = f"; done by both, of which the first stays: {tally.conflicts}" if tally.conflicts else ""
            yield f"{path}: new names: {tally.names}; results taken over: {tally.added}; known: {tally.same}{clash}"
