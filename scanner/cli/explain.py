"""``onnxray explain``: what a detector, a repair or a rule does, from its own docstring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from inspect import cleandoc, getdoc
from typing import TYPE_CHECKING

import rich_click as click

from ..registry import names, plugins
from .choices import MethodChoice
from .flags import DETECTORS

if TYPE_CHECKING:
    from ..detectors import Detector
    from ..repairs import Repair
    from ..rules import Rule

    Plugin = type[Detector] | type[Repair]

REPAIRS = "onnxray.scanner.repairs"
RULES = "onnxray.scanner.rules"
PAGE = "rules"
"""In place of an id: all rules as a page of Markdown, which is ``docs/rules.md``."""


@click.command()
@click.argument(
    "method",
    type=MethodChoice([*names(DETECTORS), *names(REPAIRS), *names(RULES), PAGE]),
    metavar="[ID]",
    required=False,
)
def explain(method: str | None) -> None:
    """Say what a detector or a repair does, assumes and misses, and its options; without ID, list them all.

    Use it to read a report: ids in it are those listed here. Of a rule of the audit: what it means, how to confirm and
    fix it, and what harmless files look like it; "rules" for all of them as Markdown.

    \b
    Examples:
      onnxray explain
      onnxray explain neural-cleanse
      onnxray explain value-gate

    \b
    Exit codes:
      0    explained
      4    no such method or rule

    \b
    See also:
      docs/reading-a-report.md    what the words in a report mean
    """
    from ..detectors import Detector
    from ..repairs import Repair

    detectors = plugins(DETECTORS, Detector)  # type: ignore[type-abstract]
    repairs = plugins(REPAIRS, Repair)  # type: ignore[type-abstract]
    found: dict[str, Plugin] = {**repairs, **detectors}
    if method is not None and method not in found:
        _explain_rules(method)
        return
    if method is not None:
        _explain(method, found[method])
        return
    from ..audit import all_rules

    width = max(map(len, (*found, *all_rules())), default=0)
    _list("Detectors", dict(detectors), width)
    _list("Repairs", dict(repairs), width)
    _list("Rules", dict(all_rules()), width)


def _explain_rules(name: str) -> None:
    from ..audit import all_rules
    from ..rule_docs import page, text

    click.echo(page() if name == PAGE else text(name, all_rules()[name]), nl=name != PAGE)


def _list(title: str, found: Mapping[str, Plugin | type[Rule]], width: int) -> None:
    click.echo(click.style(title, bold=True))
    for name, plugin in found.items():
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {_doc(plugin).splitlines()[0]}")


def _explain(name: str, plugin: Plugin) -> None:
    click.echo(f"{click.style(name, bold=True)}\n\n{_doc(plugin)}\n\n{click.style('Options', bold=True)}")
    for option in fields(plugin):
        click.echo(f"  --set {name}.{option.name}={_default(option)}")


def _doc(plugin: Plugin | type[Rule]) -> str:
    return cleandoc(getdoc(plugin) or "(no description)")


def _default(option: Field[object]) -> str:
    if option.default_factory is not MISSING:
        return str(option.default_factory())
    return "VALUE" if option.default is MISSING else str(option.default)
