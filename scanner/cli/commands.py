"""The commands, gathered; see ``cli/__init__.py`` for the way in."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import rich_click as click

from ..closest import did_you_mean
from ..version import __version__
from .audit import audit
from .completion import completion
from .config import config
from .configure import config_flags, configure
from .convert import convert
from .diff import diff
from .evaluate import evaluate
from .exit_codes import exits
from .explain import explain
from .filter import filter_
from .inspect import inspect
from .repair import repair
from .results import results
from .scan import scan

__all__ = ["main"]

COMMANDS = "onnxray.commands"


class Commands(click.RichGroup):
    """The command group, with this tool's exit codes instead of click's.

    Other parts of the tool, and other packages, add commands through the entry-point group ``onnxray.commands``: one
    entry a command, its name the command's, its object a ``click.Command``. They are imported when they are called or
    listed, not before.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See ``click.Group.list_commands``."""
        return sorted({*super().list_commands(ctx), *entry_points(group=COMMANDS).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See ``click.Group.get_command``; own commands cannot be replaced."""
        own = super().get_command(ctx, cmd_name)
        found = () if own else entry_points(group=COMMANDS, name=cmd_name)
        return next((_checked(entry.load(), entry.value) for entry in found), own)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See ``click.Group.resolve_command``; also reads the files of settings, which are the command's defaults."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {name!r}{did_you_mean(name, known)}", ctx)
        found, command, rest = super().resolve_command(ctx, args)
        if found is not None and command is not None:
            configure(ctx, found, command, rest, known)
        return found, command, rest

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """See ``click.Command.make_context``."""
        with exits(None):
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """See ``click.Command.invoke``."""
        with exits(ctx):
            return super().invoke(ctx)


def _checked(command: object, where: str) -> click.Command:
    if not isinstance(command, click.Command):
        raise TypeError(f"{where}: expected a click.Command, got {command!r}")
    return command


SETTINGS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ONNXRAY"}


@click.group(cls=Commands, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="onnxray")
@config_flags
def main(config: Path | None, no_config: bool) -> None:
    """Find backdoors in ONNX classifiers, with a trigger that proves them.

    A scan needs the model and a few hundred clean labelled pictures of the kind that the model is meant for; without
    pictures it can be suspicious, and never clear a model.

    \b
    Examples:
      onnxray scan model.onnx --data images/
      onnxray scan model.onnx --data test.npz -f json > report.json
      onnxray audit models/
      onnxray convert model.pt2 -o model.onnx
      onnxray repair model.onnx --data test.npz -o repaired.onnx
      onnxray explain neural-cleanse
    """


main.add_command(scan)
main.add_command(audit)
main.add_command(completion)
main.add_command(config)
main.add_command(convert)
main.add_command(diff)
main.add_command(explain)
main.add_command(filter_)
main.add_command(inspect)
main.add_command(repair)
main.add_command(results)
main.add_command(evaluate)
