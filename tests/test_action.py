"""The GitHub Action and the pre-commit hooks: they parse, their inputs are used, and their commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from onnxray.models.bundled_files import bundled
from onnxray.scanner.cli.commands import main

ROOT = Path(__file__).parents[1]
yaml: Any = pytest.importorskip("yaml")

STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > called
echo '{}'
exit 1
"""


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return loaded


def scripts(action: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["run"] for step in action["runs"]["steps"] if "run" in step}


def test_every_input_is_described_and_used(action: dict[str, Any]) -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"inputs\.([a-z-]+)", text))
    assert used == set(action["inputs"])
    assert all(one["description"] for one in action["inputs"].values())
    assert all(one["description"] and one["value"] for one in action["outputs"].values())


def test_no_input_gets_into_a_script(action: dict[str, Any]) -> None:
    assert all("${{" not in script for script in scripts(action).values())
    assert all(step.get("shell") == "bash" for step in action["runs"]["steps"] if "run" in step)


@pytest.mark.skipif(sys.platform == "win32", reason="no bash")
def test_scripts_are_bash(action: dict[str, Any]) -> None:
    for name, script in scripts(action).items():
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), name


@pytest.mark.skipif(sys.platform == "win32", reason="no bash")
def test_the_scan_keeps_the_code_and_takes_hostile_inputs_as_words(action: dict[str, Any], tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "onnxray"
    tool.parent.mkdir()
    tool.write_text(STAND_IN)
    tool.chmod(0o755)
    step = next(step for step in action["runs"]["steps"] if step.get("id") == "scan")
    given = dict.fromkeys(step["env"], "") | {
        "INPUT_PATHS": "a model.onnx\n$(touch bad)\n", "INPUT_DATA": "x; touch bad", "INPUT_FAIL_ON": "backdoored",
        "INPUT_STORE": "s.sqlite", "INPUT_SARIF": "out.sarif", "INPUT_ARGUMENTS": "--samples=50\n--quiet",
    }  # fmt: skip
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | given | {"PATH": path, "GITHUB_OUTPUT": "outputs", "GITHUB_STEP_SUMMARY": "summary"}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], cwd=tmp_path, env=env, check=True)
    called = (tmp_path / "called").read_text().splitlines()
    assert called == [
        "scan", "--store", "s.sqlite", "--data", "x; touch bad", "--fail-on", "backdoored", "--samples=50", "--quiet",
        "-f", "sarif", "--", "a model.onnx", "$(touch bad)",
    ]  # fmt: skip
    assert (tmp_path / "outputs").read_text() == "exit-code=1\n"
    assert not (tmp_path / "bad").exists()
    context = main.make_context("onnxray", called)
    command = main.commands["scan"]
    assert command.make_context("scan", called[1:], parent=context).params["form"] == "sarif"


def test_hooks_find_onnx_files_and_their_entry_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["onnxray-audit", "onnxray-audit-installed"]
    for hook in hooks:
        assert re.search(hook["files"], "models/a.onnx")
        assert not re.search(hook["files"], "a.onnx.txt")
        program, *words = shlex.split(hook["entry"])
        assert program == "onnxray"
        assert CliRunner().invoke(main, [*words, str(bundled("clean.onnx"))]).exit_code == 0
