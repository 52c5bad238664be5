"""``onnxray explain``: what a detector does, assumes and misses, from its own docstring."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from inspect import cleandoc, getdoc
from typing import TYPE_CHECKING

import rich_click as click

from ..registry import names, plugins
from .flags import DETECTORS

if TYPE_CHECKING:
    from ..detectors import Detector


@click.command()
@click.argument("detector", type=click.Choice(names(DETECTORS)), metavar="[ID]", required=False)
def explain(detector: str | None) -> None:
    """Say what a detector does, what it assumes and misses, and its options; without ID, list them all."""
    from ..detectors import Detector

    found = plugins(DETECTORS, Detector)  # type: ignore[type-abstract]
    if detector is None:
        _list(found)
    else:
        _explain(detector, found[detector])


def _list(found: dict[str, type[Detector]]) -> None:
    width = max(map(len, found), default=0)
    for name, plugin in found.items():
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {_doc(plugin).splitlines()[0]}")


def _explain(name: str, plugin: type[Detector]) -> None:
    click.echo(f"{click.style(name, bold=True)}\n\n{_doc(plugin)}\n\n{click.style('Options', bold=True)}")
    for option in fields(plugin):
        click.echo(f"  --set {name}.{option.name}={_default(option)}")


def _doc(plugin: type[Detector]) -> str:
    return cleandoc(getdoc(plugin) or "(no description)")


def _default(option: Field[object]) -> str:
    if option.default_factory is not MISSING:
        return str(option.default_factory())
    return "VALUE" if option.default is MISSING else str(option.default)
