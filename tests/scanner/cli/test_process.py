"""The command line as a process of its own: what a closed or full standard output and an early interrupt do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from onnxray.scanner.cli.exit_codes import ExitCode

CLOSED_PIPE = """
import os, sys
from onnxray.scanner.cli import main
os.close(0)
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
main(["explain"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX pipes")
def test_a_reader_that_went_away_is_an_error_not_a_finding() -> None:
    done = subprocess.run([sys.executable, "-c", CLOSED_PIPE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.ERROR, "")


FULL = """
import os
from onnxray.scanner.cli import main
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
main(["explain"])
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.ERROR
    assert done.stderr == (
        "onnxray: error: standard output or a temporary file cannot be written: No space left on device; make room\n"
    )


EARLY = """
import signal, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "rich_click":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
from onnxray.scanner.cli import main
main(["--help"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
def test_an_interrupt_while_the_libraries_load_shows_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, "", "onnxray: interrupted\n")
