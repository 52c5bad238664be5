"""The commands, gathered; see ``cli/__init__.py`` for the way in."""

from __future__ import annotations

from typing import Any

import rich_click as click

from ..version import __version__
from .convert import convert
from .exit_codes import exits
from .explain import explain
from .inspect import inspect
from .scan import scan

__all__ = ["main"]


class Commands(click.RichGroup):
    """The command group, with this tool's exit codes instead of click's."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """See ``click.Command.make_context``."""
        with exits(None):
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """See ``click.Command.invoke``."""
        with exits(ctx):
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="onnxray")
def main() -> None:
    """Find backdoors in ONNX classifiers, with a trigger that proves them.

    A scan needs the model and a few hundred clean labelled pictures of the kind that the model is meant for.

    \b
    Examples:
      onnxray scan model.onnx --data images/
      onnxray scan model.onnx --data test.npz -f json > report.json
      onnxray convert model.pt2 -o model.onnx
      onnxray explain neural-cleanse
    """


main.add_command(scan)
main.add_command(convert)
main.add_command(explain)
main.add_command(inspect)
