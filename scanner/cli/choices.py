"""Choices among methods: a wrong id is answered with the one that was probably meant, a key completes one."""

from __future__ import annotations

from typing import Any

import rich_click as click
from click.shell_completion import CompletionItem

from ...converters.messages import one_line
from ..closest import did_you_mean
from ..registry import names

__all__ = ["MethodChoice", "setting_names"]

FAMILIES = ("detectors", "executors", "repairs")


class MethodChoice(click.Choice[str]):
    """Ids of methods or rules; where one that does not exist is near to one that does, only that is told."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ``click.ParamType.convert``."""
        if value not in self.choices and (hint := did_you_mean(str(value), self.choices)):
            self.fail(f"there is no {one_line(repr(value), 80)}{hint} (onnxray explain lists all)", param, ctx)
        return super().convert(value, param, ctx)


def setting_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The beginnings of ``--set ID.OPTION=VALUE``: without their options, as these would have to be imported."""
    known = (name for family in FAMILIES for name in names(f"onnxray.scanner.{family}"))
    return [CompletionItem(f"{name}.") for name in known if name.startswith(incomplete)]
