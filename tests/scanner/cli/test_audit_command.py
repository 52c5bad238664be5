"""``onnxray audit``: exit codes, forms, and what it never imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner, Result
from onnxray.models.bundled_files import bundled
from onnxray.models.graph_backdoors.corpus import base, corpus
from onnxray.scanner.cli.commands import main

STATIC = """
import sys
from onnxray.scanner.cli import main
try:
    main(["audit", *sys.argv[1:]])
except SystemExit as end:
    print("HEAVY", end.code, sorted({"torch", "onnxruntime", "onnx2torch", "scipy", "sklearn"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    cases = {case.name: case for case in corpus()}
    for name in ("where", "hard-swish", "range-check"):
        onnx.save(cases[name].make(base()), path / f"{name}.onnx")
    return path


def audit(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


def test_neither_torch_nor_onnxruntime_is_imported(folder: Path) -> None:
    command = [sys.executable, "-c", STATIC, str(folder / "where.onnx"), str(bundled("clean.onnx"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "HEAVY 1 []" in done.stdout


def test_a_clean_model_passes() -> None:
    done = audit(bundled("clean.onnx"))
    assert done.exit_code == 0
    assert "nothing found" in done.stdout


def test_a_backdoor_fails_and_is_told_with_its_path(folder: Path) -> None:
    done = audit(folder / "where.onnx")
    assert done.exit_code == 1
    assert "value-gate" in done.stdout
    assert "path:" in done.stdout


@pytest.mark.parametrize(
    ("flags", "code"), [(["--fail-on", "critical"], 0), (["--exit-zero"], 0), (["--fail-on", "high"], 1)]
)
def test_flags_say_what_fails(folder: Path, flags: list[str], code: int) -> None:
    assert audit(folder / "where.onnx", *flags).exit_code == code


def test_a_note_fails_only_where_that_is_asked_for(folder: Path) -> None:
    assert audit(folder / "range-check.onnx").exit_code == 0
    assert audit(folder / "range-check.onnx", "--fail-on", "note").exit_code == 1


def test_json_is_one_object_a_line_and_the_worst_file_decides(folder: Path) -> None:
    (folder / "broken.onnx").write_bytes(b"\x08\x07\x12garbage")
    done = audit(folder, "-f", "json")
    (folder / "broken.onnx").unlink()
    told = {Path(line["model"]["path"]).stem: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 1
    assert set(told) == {"broken", "where", "hard-swish", "range-check"}
    assert told["broken"]["error"]
    assert told["where"]["worst"] == "high"
    assert told["where"]["findings"][0]["path"]
    assert told["hard-swish"]["worst"] is None
    assert {check["status"] for check in told["hard-swish"]["coverage"]} == {"ran"}


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07\x12garbage")
    assert audit(tmp_path).exit_code == 2
    assert audit(tmp_path / "absent.onnx").exit_code == 2


def test_a_folder_without_models_is_nothing_and_no_path_is_usage(tmp_path: Path) -> None:
    assert audit(tmp_path).exit_code == 3
    assert audit().exit_code == 4
