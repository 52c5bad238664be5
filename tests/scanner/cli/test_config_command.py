"""Settings from files: layers, what wins, what a stranger's file cannot do, and what is told of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from onnxray.models.bundled_files import bundled
from onnxray.scanner.cli.commands import main
from onnxray.scanner.cli.settings import commands_of, keys_of
from onnxray.scanner.cli.trust import _INSIDE, _TAKEN, _TOLD, Trust, trust_in
from onnxray.scanner.toml_file import LARGEST

Write = Callable[..., Path]

ACCEPTS = '[[suppress]]\ncode="a"\nmodel="b"\nreason="c"\n'


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own to stand in, and a user's folder of its own."""
    monkeypatch.delenv("ONNXRAY_NO_CONFIG", raising=False)
    monkeypatch.setattr("onnxray.scanner.cli.configure.user_file", lambda: tmp_path / "home" / "config.toml")
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "sub").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "repo" / "sub")
    return tmp_path


@pytest.fixture
def project(place: Path) -> Write:
    def write(text: str, name: str = "onnxray.toml") -> Path:
        file = place / "repo" / name
        file.write_text(text)
        return file

    return write


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def shown(*arguments: str) -> dict[str, dict[str, Any]]:
    done = run("config", "show", "-f", "json", *arguments)
    assert done.exit_code == 0, done.output
    return {value["key"]: value for value in json.loads(done.stdout)}


def flat(text: str) -> str:
    """Output without its frame and line breaks."""
    return " ".join(text.replace("│", " ").split())


def test_each_layer_wins_over_those_before_it(project: Write, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown("scan")["samples"] == {
        "command": "scan", "key": "samples", "value": 200, "origin": "default", "source": "default",
    }  # fmt: skip
    (place / "home" / "config.toml").write_text("samples = 10\n[scan]\nsamples = 20\n")
    assert shown("scan")["samples"]["value"] == 20
    file = project("samples = 30\n")
    assert shown("scan")["samples"]["source"] == f"{file}: samples"
    (named := place / "named.toml").write_text("[scan]\nsamples = 40\n")
    done = run("--config", str(named), "config", "show", "scan")
    assert f"40    {named}: scan.samples".split() == done.stdout.split("scan samples")[1].split()[:3]
    monkeypatch.setenv("ONNXRAY_SCAN_SAMPLES", "50")
    assert shown("scan")["samples"]["source"] == "environment ONNXRAY_SCAN_SAMPLES"
    assert shown("scan", "--", "--samples", "60")["samples"] == {
        "command": "scan", "key": "samples", "value": "60", "origin": "flag", "source": "flag --samples",
    }  # fmt: skip


def test_no_config_and_the_variable(project: Write, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project("samples = 30\n")
    assert "nothing is set" in run("--no-config", "config", "show").stdout
    (named := place / "named.toml").write_text("seed = 7\n")
    monkeypatch.setenv("ONNXRAY_CONFIG", str(named))
    assert shown("scan")["seed"]["value"] == 7
    monkeypatch.setenv("ONNXRAY_CONFIG", str(place / "absent.toml"))
    assert run("config", "check").exit_code == 4


def test_pyproject_is_passed_over_without_our_table(project: Write, place: Path) -> None:
    (place / "repo" / "sub" / "pyproject.toml").write_text("[broken\n")
    file = project("[tool.onnxray.scan]\nsamples = 30\n", "pyproject.toml")
    assert shown("scan")["samples"]["source"] == f"{file}: scan.samples"
    project("[scan]\nsamples = 31\n")
    assert shown("scan")["samples"]["value"] == 31


def test_what_is_above_the_repository_is_not_read(place: Path) -> None:
    (place / "onnxray.toml").write_text("samples = 30\n")
    assert shown("scan")["samples"]["value"] == 200


def test_a_setting_reaches_the_command_and_a_flag_wins(project: Write) -> None:
    project('[audit]\nformat = "json"\n')
    model = str(bundled("clean.onnx"))
    assert json.loads(run("audit", model).stdout)["schema"] == "onnxray/audit/1"
    assert "nothing found" in run("audit", model, "-f", "text").stdout


def test_paths_are_relative_to_the_file_and_lists_may_be_numbers(project: Write, place: Path) -> None:
    project('data = "images"\nmean = [0.5, 0.4]\n')
    scan = shown("scan")
    assert scan["data"]["value"] == str(place / "repo" / "images")
    assert scan["mean"]["value"] == "0.5,0.4"


def test_options_of_methods_are_set_under_their_family(project: Write) -> None:
    file = project("[detectors.neural-cleanse]\nsteps = 50\n")
    assert shown("scan")["detectors.neural-cleanse.steps"]["source"] == f"{file}: detectors.neural-cleanse.steps"
    with main.make_context("onnxray", ["scan", "x"]) as root:
        _, command, rest = main.resolve_command(root, ["scan", "x", "--set", "neural-cleanse.seeds=3"])
        assert command is not None
        settings = command.make_context("scan", rest, parent=root).params["settings"]
        assert settings == {"neural-cleanse": {"steps": 50, "seeds": "3"}}
        rest = ["x", "--set", "max-margin.seeds=3", "--detector", "max-margin"]  # whatever the order
        assert command.make_context("scan", rest, parent=root).params["settings"] == {"max-margin": {"seeds": "3"}}


def test_options_of_a_method_on_request_wait_until_it_is_asked_for(project: Write) -> None:
    project("[detectors.pair-search]\nsteps = 50\n")
    with main.make_context("onnxray", ["scan", "x"]) as root:
        _, command, _ = main.resolve_command(root, ["scan", "x"])
        assert command is not None
        for flags, expected in (([], {}), (["--also", "pair-search"], {"pair-search": {"steps": 50}})):
            assert command.make_context("scan", ["x", *flags], parent=root).params["settings"] == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fail-onn = 1", 'fail-onn: there is no such setting; did you mean "fail-on"?'),
        ("[scann]\nsamples = 2", 'scann: there is no such setting; did you mean "scan"?'),
        ("[scan]\nsample = 2", 'scan.sample: onnxray scan has no such setting; did you mean "samples"?'),
        ('[scan]\nsamples = "2"', "scan.samples: expected a whole number, got '2'"),
        ("[scan]\nsamples = 2.5", "scan.samples: expected a whole number, got 2.5"),
        ("[scan]\nsamples = true", "scan.samples: expected a whole number, got true"),
        ("[scan]\nsamples = 1", "scan.samples: 1 is not in the range x>=2"),
        ("[scan]\nmax-seconds = nan", "scan.max-seconds: expected a number of seconds, got nan"),
        ('[scan]\nquiet = "yes"', "scan.quiet: expected true or false, got 'yes'"),
        ('[scan]\ndetector = "max-margin"', "scan.detector: expected a list, got 'max-margin'"),
        ('[scan]\nfail-on = "never"', "scan.fail-on: 'never' is not one of 'suspicious', 'backdoored'"),
        ('fail-on = "high"', "to set it for another command only, use a table [COMMAND]"),
        ('scan = "x"', "scan: expected a table [scan]"),
        ("[config]\nx = 1", "config: there is no such setting"),
        ("[samples]\nx = 1", "samples: expected a value"),
        ("[detectors.neural-clense]\nsteps = 1", 'there is no such method; did you mean "neural-cleanse"?'),
        ("[detectors.neural-cleanse]\nstep = 1", 'there is no such option; did you mean "steps"?'),
        ('[detectors.neural-cleanse]\nsteps = "x"', "detectors.neural-cleanse.steps: NeuralCleanse: "),
        ('[[suppress]]\ncode = "a"', "suppression 1: model: expected some words"),
        ("a = [", "no TOML"),
        ("x = " + "[" * 5000, "no TOML"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(project: Write, text: str, words: str) -> None:
    file = project(text)
    done = run("scan", str(bundled("clean.onnx")))
    assert done.exit_code == 4
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"onnxray: error: {file}")
    assert words in done.stderr
    assert run("config", "check").exit_code == 4
    assert run("scan", "--help").exit_code == 0
    assert run("explain", "value-gate").exit_code == 0


@pytest.mark.parametrize(
    "text",
    [
        "[scan]\nno-sandbox = true",
        "[scan]\nmax-memory = 1000",
        "[scan]\nlist = true",
        '[scan]\nshard = "1/1000"',
        '[scan]\nexecutor = "ray"',
        '[scan]\nset = ["ray.address=ray://elsewhere.invalid:1"]',
        '[executors.ray]\naddress = "ray://elsewhere.invalid:1"',
        '[scan]\nstore = "../../elsewhere.sqlite"',
        '[scan]\noutput = "/etc/onnxray"',
    ],
)
def test_what_a_strangers_file_must_not_set_is_refused(project: Write, place: Path, text: str) -> None:
    file = project(text)
    done = run("scan", str(bundled("clean.onnx")))
    assert (done.exit_code, len(done.stderr.splitlines())) == (4, 1)
    assert "project's file" in done.stderr
    assert str(file) in done.stderr
    shutil.move(file, place / "home" / "config.toml")  # the same in the user's own file is taken
    assert run("config", "check").exit_code == 0, run("config", "check").output


@pytest.mark.skipif(not hasattr(os, "symlink") or sys.platform == "win32", reason="no links")
def test_a_link_out_of_the_project_is_refused(project: Write, place: Path) -> None:
    (place / "repo" / "store.sqlite").symlink_to(place / "home" / "important")
    project('[scan]\nstore = "store.sqlite"')
    assert "inside its own folder" in run("scan", "x.onnx").stderr


def test_what_changes_the_answer_is_told_even_if_quiet(project: Write) -> None:
    file = project('quiet = true\n[audit]\nfail-on = "critical"\n' + ACCEPTS + "expires=2020-01-01\n")
    told = run("audit", str(bundled("clean.onnx"))).stderr.splitlines()
    assert told[0] == f"onnxray: {file} sets audit.fail-on = critical, 1 suppression (--no-config leaves it out)"
    assert "expired on 2020-01-01" in told[1]
    assert run("--no-config", "audit", str(bundled("clean.onnx"))).stderr == ""
    project('[audit]\nformat = "json"\n')
    assert run("audit", str(bundled("clean.onnx"))).stderr == ""


def test_every_setting_is_trusted_or_not_by_name() -> None:
    keys = {key for path, command in commands_of(main) if path for key in keys_of(command)}
    assert {*_TAKEN, *_TOLD, *_INSIDE} <= keys
    for key in ("no-sandbox", "max-memory", "trust", "set", "executor", "list", "shard", "not-thought-about"):
        assert trust_in(key) is Trust.REFUSED


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_files_that_are_none(project: Write) -> None:
    file = project(" " * (LARGEST + 1))
    assert "larger than 1 MiB" in run("audit", "x").stderr
    file.unlink()
    os.mkfifo(file)
    assert "got something that is no file" in run("audit", "x").stderr


@pytest.mark.skipif(not hasattr(os, "chown") or os.getuid() != 0, reason="needs an administrator to give a file away")
def test_a_file_of_another_user_is_not_taken_by_itself(project: Write) -> None:
    file = project("samples = 30\n")
    os.chown(file, 12345, -1)
    assert "belongs to another user" in run("audit", "x").stderr
    assert run("--no-config", "audit", str(bundled("clean.onnx"))).exit_code == 0


def test_a_policy_file_wins_over_settings_and_flags_over_it(project: Write, place: Path) -> None:
    (place / "repo" / "policy.toml").write_text(
        'fail-on = "backdoored"\n[[suppress]]\ncode="a"\nmodel="b"\nreason="c"\n'
    )
    project('[scan]\npolicy = "policy.toml"\nfail-on = "suspicious"\n')
    found = shown("scan")
    assert found["fail-on"]["source"] == f"{place / 'repo' / 'policy.toml'}: fail-on"
    assert found["suppress a"]["value"] == "b"
    with main.make_context("onnxray", ["scan", "x"]) as root:
        _, command, _ = main.resolve_command(root, ["scan", "x"])
        assert command is not None
        assert command.make_context("scan", ["x"], parent=root).params["fail_on"] == "backdoored"
        flags = ["x", "--fail-on", "suspicious"]
        assert command.make_context("scan", flags, parent=root).params["fail_on"] == "suspicious"


def test_names_that_are_wrong_are_answered_with_what_was_meant() -> None:
    for arguments, words in (
        (["scna"], 'did you mean "scan"?'),
        (["benhc"], 'did you mean "bench"?'),
        (["scan", "x", "--fail-onn", "y"], "--fail-on"),
        (["explain", "neural-clense"], 'did you mean "neural-cleanse"?'),
        (["explain", "valu-gate"], 'did you mean "value-gate"?'),
        (["scan", "x", "--detector", "neural-clense"], 'did you mean "neural-cleanse"?'),
        (["repair", "x", "--data", "y", "-o", "z.onnx", "--method", "unlern"], 'did you mean "unlearn"?'),
        (["config", "show", "scna"], 'did you mean "scan"?'),
    ):
        done = run(*arguments)
        assert done.exit_code == 4, arguments
        assert words in flat(done.stderr), arguments


def test_the_page_has_every_setting() -> None:
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page.endswith(run("config", "keys").stdout)


def test_the_files_on_the_page_are_right(project: Write, place: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    settings, policy = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (place / "repo" / "onnxray-policy.toml").write_text(policy)
    project(settings)
    assert run("config", "check").exit_code == 0
    assert len([key for key in shown("scan") if key.startswith("suppress ")]) == 2


def test_an_audit_takes_severity_and_suppressions_of_a_policy(place: Path) -> None:
    model = place / "repo" / "sub" / "trailing.onnx"
    model.write_bytes(bundled("clean.onnx").read_bytes() + b"\x9a\x3f\x04\x61\x62\x63\x64")  # an unknown field
    (policy := place / "policy.toml").write_text('fail-on = "backdoored"\nfail-on-finding = "note"\n')
    done = run("audit", "trailing.onnx", "-f", "json", "--policy", str(policy))
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    rules = {finding["rule"] for finding in found["findings"]}
    policy.write_text(
        'fail-on-finding = "note"\n'
        + "".join(f'[[suppress]]\ncode="{rule}"\nmodel="trailing.onnx"\nreason="why"\n' for rule in rules)
    )
    done = run("audit", "trailing.onnx", "-f", "json", "--policy", str(policy))
    assert done.exit_code == 0
    assert json.loads(done.stdout)["accepted"] == dict.fromkeys(rules, "why")
    assert "has no end" in done.stderr
    assert "accepted: why" in run("audit", "trailing.onnx", "--policy", str(policy)).stdout
