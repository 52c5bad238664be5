"""What the tests of both Triton kernels share."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run() -> Run:
    """Return ``run(script, interpret)``, which runs a script of this folder in a process of its own."""

    def script_done(script: str, interpret: bool) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
        return subprocess.run(
            [sys.executable, "-W", "ignore", str(HERE / script)],
            env=environment | ({"TRITON_INTERPRET": "1"} if interpret else {}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return script_done
