"""Every command's help has what a manual page has, and its examples parse."""

from __future__ import annotations

import inspect
import re
import shlex

import pytest
import rich_click as click
from click.testing import CliRunner
from onnxray.scanner.cli.commands import main

COMMANDS = {
    " ".join(path): part
    for name, command in main.commands.items()
    for path, part in [((name,), command), *(((name, n), c) for n, c in getattr(command, "commands", {}).items())]
}


def examples(command: click.Command) -> list[str]:
    """The lines under "Examples:"."""
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    found = re.search(r"Examples:\n((?:  .*\n?)+)", text)
    return [line.strip() for line in found[1].splitlines()] if found else []


EXAMPLES = sorted({line for command in (main, *COMMANDS.values()) for line in examples(command)})


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_its_parts(name: str) -> None:
    command = COMMANDS[name]
    text = inspect.cleandoc(command.help or "")
    assert text.splitlines()[0].endswith(".")
    assert examples(command)
    if not isinstance(command, click.Group) or command.invoke_without_command:
        assert "Exit codes" in text
    assert CliRunner().invoke(main, [*name.split(), "--help"]).exit_code == 0


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_parses(line: str) -> None:
    words = shlex.split(line.split(" > ")[0].split(" | ")[0])
    assert words.pop(0) == "onnxray", line
    context: click.Context = main.make_context("onnxray", words)
    command: click.Command = main
    rest = words
    if words[:1] == ["--config"]:
        rest = words[2:]
    while isinstance(command, click.Group) and rest and rest[0] in command.list_commands(context):
        inner = command.get_command(context, rest[0])
        assert inner is not None
        command, rest = inner, rest[1:]
        if not isinstance(command, click.Group) or command.invoke_without_command:
            context = command.make_context(command.name, list(rest), parent=context)
    assert command is not main


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20
