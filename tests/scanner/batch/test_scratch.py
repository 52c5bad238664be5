"""What a killed process leaves behind is removed; what a living one works with is not."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from onnxray.scanner.scratch import scratch_folder, sweep

LEAVE = """
import os
from onnxray.scanner.scratch import scratch_folder
folder = scratch_folder()
print(folder.name, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc as on Linux")
def test_only_what_the_dead_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "onnxray-report").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", LEAVE], env={"PYTHONPATH": ":".join(filter(None, sys.path)), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    left = Path(ended.stdout.strip())
    (left / "folder").mkdir()
    (left / "folder" / "outside").symlink_to(tmp_path / "onnxray-report")
    with scratch_folder() as own:
        sweep()
        assert not left.exists()
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([Path(own).name, "onnxray-report"])
