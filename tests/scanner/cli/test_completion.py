"""Completion in shells: scripts that the shells accept, the right words, and no heavy import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from onnxray.scanner.cli.commands import main
from onnxray.scanner.registry import names

ASK = """
import sys
from onnxray.scanner.cli import main
try:
    main([])
except SystemExit:
    heavy = {"numpy", "torch", "onnx", "onnxruntime", "sklearn", "scipy", "jinja2", "ray"} & set(sys.modules)
    print("HEAVY", sorted(heavy))
"""


def completed(words: str) -> list[str]:
    """What bash is offered for the last word."""
    parts = words.split(" ")
    env = {"_ONNXRAY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(parts) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=os.environ | env, capture_output=True, text=True, timeout=60, check=True
    )
    *lines, last = done.stdout.splitlines()
    assert last == "HEAVY []"
    return [line.partition(",")[2] for line in lines]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("onnxray re", ["repair", "results"]),
        ("onnxray explain value", ["value-gate"]),
        ("onnxray scan --fail-on b", ["backdoored"]),
        ("onnxray scan --detector neural", ["neural-cleanse"]),
        ("onnxray scan --set neural-c", ["neural-cleanse."]),
        ("onnxray repair --method unl", ["unlearn"]),
    ],
)
def test_what_is_offered(words: str, offered: list[str]) -> None:
    assert set(offered) <= set(completed(words))


def test_all_documents_are_offered() -> None:
    offered = set(completed("onnxray results -f "))
    assert offered >= {"json", *names("onnxray.scanner.documents")}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_the_shells_own_and_says_where_it_goes(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert f"_ONNXRAY_COMPLETE={shell}_complete" in done.stdout
    assert f"onnxray completion {shell} >" in done.stdout
    if shell == "zsh":
        assert done.stdout.startswith("#compdef onnxray\n")
    if program := shutil.which(shell):
        read = subprocess.run([program, "-n"], input=done.stdout, text=True, capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")


def test_another_shell_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["completion", "csh"]).exit_code == 4
