"""What a process that was taken over might try; called by name inside the sandbox."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxray.scanner.errors import ModelError
from onnxray.scanner.sandbox.channel import Frame, send


@dataclass(frozen=True)
class Answer:
    number: float
    where: Path
    picture: NDArray[np.float32]
    again: tuple[NDArray[np.float32], ...] = ()


def answer(number: float, where: Path, picture: NDArray[np.float32]) -> Answer:
    return Answer(number * 2, where, picture + 1)


def speak(progress: Callable[[str, float], None]) -> str:
    sys.stdout.write("a library's noise \x1b[31m\n")
    sys.stdout.flush()
    progress("half", 0.5)
    return "done"


def lie() -> str:
    return 7  # type: ignore[return-value]


def complain() -> str:
    raise ModelError("m.onnx: no good")


def break_down() -> str:
    raise KeyError("oops")


def devour(gigabytes: float) -> int:
    held = [np.ones(1 << 23) for _ in range(int(gigabytes * 16))]  # 64 MiB each, touched
    return len(held)


def spin() -> int:
    while True:
        pass


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return 0


def crash() -> int:
    ctypes.string_at(0)
    return 0


def leave() -> int:
    os._exit(3)


def babble() -> int:
    for number in range(3, 12):  # the answers' channel is one of these
        try:
            os.write(number, b"\0" * 200)
        except OSError:
            continue
    return 0


def talk(progress: Callable[[str, float], None], length: int, times: int) -> int:
    """More than anybody can listen to, past the usual limits on signs of progress."""
    cells: tuple[Any, ...] = progress.__closure__ or ()
    pipe = next(cell.cell_contents for cell in cells if hasattr(cell.cell_contents, "write"))
    for _ in range(times):
        send(pipe, Frame("move", b'["' + b"x" * length + b'", 0.5]'))
    return 0


def try_each(outside: Path) -> tuple[str, ...]:
    """Names of the deeds that were possible."""
    deeds: dict[str, Callable[[], object]] = {
        "write": lambda: (outside / "new").write_text("x"),
        "overwrite": lambda: (outside / "victim").write_text("x"),
        "truncate": lambda: os.truncate(outside / "victim", 0),
        "remove": lambda: (outside / "goner").unlink(),
        "rename": lambda: (outside / "movable").rename(outside / "v"),
        "link": lambda: os.link(outside / "victim", Path(os.environ["TMPDIR"]) / "v"),
        "folder": lambda: (outside / "folder").mkdir(),
        "mode": lambda: (outside / "victim").chmod(0o777),
        "times": lambda: os.utime(outside / "victim", (0, 0)),
        "home": lambda: (Path.home() / ".onnxray-was-here").write_text("x"),
        "tcp": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        "unix socket": lambda: socket.socket(socket.AF_UNIX).bind(str(outside / "s")),
        "signal the parent": lambda: os.kill(os.getppid(), 0),
        "from a child": lambda: subprocess.run(["/bin/sh", "-c", f"echo x > {outside}/new"], check=True),
    }
    done = []
    for name, deed in deeds.items():
        try:
            deed()
        except (OSError, subprocess.SubprocessError):
            continue
        done.append(name)
    return tuple(done)


def use_scratch() -> str:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"fine")
    os.close(os.open(os.devnull, os.O_WRONLY))
    return str(Path(tempfile.gettempdir()))


def modules() -> tuple[str, ...]:
    return tuple(name for name in ("torch", "onnx", "onnxruntime") if name in sys.modules)
