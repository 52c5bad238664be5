"""Help and explanations: complete, and light to load."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from click.testing import CliRunner
from onnxray.scanner.cli import commands
from onnxray.scanner.cli.commands import main
from onnxray.scanner.registry import names
from onnxray.scanner.version import __version__

HEAVY = ("numpy", "torch", "torchvision", "onnx", "onnx2torch", "onnxruntime", "sklearn", "scipy", "PIL", "pyarrow")

PROBE = """
import sys
from onnxray.scanner.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    heavy = sorted(set({heavy}) & set(sys.modules))
    print("HEAVY", end.code, heavy)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("--version", 0),
        ("scan --help", 0),
        ("convert --help", 0),
        ("explain --help", 0),
        ("bench speed --help", 0),
        ("scan", 4),
    ],
)
def test_nothing_heavy_is_imported(arguments: str, code: int) -> None:
    command = [sys.executable, "-c", PROBE.format(heavy=HEAVY), *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert f"HEAVY {code} []" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["scan", "--help"]])
def test_help_has_examples(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "onnxray scan model.onnx --data" in result.stdout


def test_version() -> None:
    assert __version__ in CliRunner().invoke(main, ["--version"]).stdout


def test_scan_help_tells_every_exit_code() -> None:
    shown = CliRunner().invoke(main, ["scan", "--help"]).stdout
    for code in ("0    pass", "1    verdict", "2    error", "3    nothing", "4    wrong", "130  interrupted"):
        assert code in shown


DETECTORS, REPAIRS = names("onnxray.scanner.detectors"), names("onnxray.scanner.repairs")
RULES = names("onnxray.scanner.rules")


def test_explain_lists_every_method_with_one_line() -> None:
    lines = CliRunner().invoke(main, ["explain"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["Detectors", *DETECTORS, "Repairs", *REPAIRS, "Rules", *RULES]
    assert all(len(line.split()) > 3 for line in lines if line not in ("Detectors", "Repairs", "Rules"))


@pytest.mark.parametrize("method", [*DETECTORS, *REPAIRS])
def test_explain_shows_the_docstring_and_the_options(method: str) -> None:
    shown = CliRunner().invoke(main, ["explain", method]).stdout
    for part in ("Assumes", "Misses", f"--set {method}."):
        assert part in shown


@pytest.mark.parametrize("rule", RULES)
def test_explain_shows_every_paragraph_of_a_rule(rule: str) -> None:
    shown = CliRunner().invoke(main, ["explain", rule]).stdout
    for part in ("Means:", "Confirm:", "Fix:", "False positives:", "severity"):
        assert part in shown


def test_the_page_of_rules_is_what_explain_prints() -> None:
    page = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    assert CliRunner().invoke(main, ["explain", "rules"]).stdout == page


def test_commands_of_other_parts_are_listed_and_loaded_only_then() -> None:
    shown = CliRunner().invoke(main, ["--help"]).stdout
    assert "bench" in shown
    assert "Measure how often" in shown
    code = "import sys; from onnxray.scanner.cli import commands; print('onnxray.models.cli' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_entry_that_is_no_command_is_named_and_own_commands_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def entries(group: str, name: str = "") -> EntryPoints:
        there = [EntryPoint(one, "onnxray.scanner.version:__version__", group) for one in ("broken", "scan")]
        return EntryPoints(entry for entry in there if name in ("", entry.name))

    monkeypatch.setattr(commands, "entry_points", entries)
    done = CliRunner().invoke(main, ["broken"])
    assert done.exit_code == 2
    assert "onnxray.scanner.version:__version__: expected a click.Command" in done.output
    assert CliRunner().invoke(main, ["scan", "--help"]).exit_code == 0
    assert CliRunner().invoke(main, ["brokn"]).exit_code == 4
