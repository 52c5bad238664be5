"""The trusting side's guard: start the child, listen to it, and end it when it is over a limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ...converters.messages import one_line
from ..errors import OnnxrayError
from ..scratch import scratch_folder
from .channel import Frame, send
from .limits import Confinement, Died, Fault, Limits, Result
from .watch import Watch

__all__ = ["run_confined"]

Value = TypeVar("Value")
Progress = Callable[[str, float], None]
_CACHES = ("TMPDIR", "TEMP", "TMP", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH", "MPLCONFIGDIR")


def run_confined(
    function: str,
    arguments: Mapping[str, object],
    returns: type[Value],
    limits: Limits | None = None,
    *,
    progress: Progress = lambda text, fraction: None,
    told: Callable[[str], None] = lambda line: None,
    gpu: bool = False,
    environment: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Result[Value] | Died:
    """Call a function of this package in a process of its own, confined, and return what it returns.

    Args:
        function: "onnxray.package.module:name"; a parameter called ``progress`` is given a callback.
        arguments: by name; plain values, paths, arrays and dataclasses, as the function's type hints say.
        returns: the type of what it returns; of the same kind.
        limits: what it may use; the usual ones if left out.
        progress: called with what the child is doing and the fraction done in [0, 1].
        told: called with each line that the child writes on its standard error.
        gpu: whether it needs a GPU, whose driver does not work within a limit on address space.
        environment: variables that it has besides this process's.
        stop: asked four times a second; true ends it.

    Raises:
        OnnxrayError: the function raised it; of the same class and with the same message.
        Fault: the function raised anything else.
    """
    limits = limits or Limits()
    with scratch_folder() as scratch, _child(Path(scratch), environment or {}) as process:
        watch = Watch(process, limits, progress, told, stop)
        _give(process, function, arguments, limits, gpu)
        ended = watch.follow()
        if isinstance(ended, Died):
            return ended
        value = _value(ended, returns)
        if isinstance(value, Died):
            return value
        return Result(value, Confinement(**watch.confinement), watch.peak_memory)


@contextmanager
def _child(scratch: Path, more: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A fresh interpreter in a session of its own; whatever happens here, it ends."""
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, **more, **dict.fromkeys(_CACHES, str(scratch)), "PYTHONPATH": paths}
    environment |= {"ONNXRAY_SCRATCH": str(scratch), "PYTHONDONTWRITEBYTECODE": "1", "ONNXRAY_PARENT": str(os.getpid())}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "onnxray.scanner.sandbox.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with _no_reader():
                    pipe.close()
        process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and all that it has started."""
    import signal

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except AttributeError:  # not a Unix
        process.kill()
    except (ProcessLookupError, PermissionError):
        process.poll()


@contextmanager
def _no_reader() -> Iterator[None]:
    """A child that died early reads nothing; why it died is found out elsewhere."""
    with suppress(OSError):
        yield


def _give(
    process: subprocess.Popen[bytes], function: str, arguments: Mapping[str, object], limits: Limits, gpu: bool
) -> None:
    from dataclasses import asdict

    from .codec import encode

    assert process.stdin is not None
    with _no_reader():
        send(
            process.stdin, Frame("job", function.encode(), json.dumps({"limits": asdict(limits), "gpu": gpu}).encode())
        )
        send(process.stdin, Frame("args", *encode(dict(arguments))))


def _value(ended: Frame, returns: Any) -> Any:
    from .codec import CodecError, decode

    if ended.kind == "done":
        try:
            return decode(ended.text, ended.data, returns)
        except CodecError as error:
            return Died("garbled", f"it sent what is no answer ({one_line(error)})")
    name, message, trace = (str(part) for part in json.loads(ended.text))
    if ended.kind == "user":
        raise _user_errors().get(name, OnnxrayError)(message)
    fault = Fault(f"{name}: {message}")
    fault.add_note(trace)
    raise fault


def _user_errors() -> dict[str, type[Exception]]:
    """The errors that a user can cause, by name."""
    found, pending = dict[str, type[Exception]](), [OnnxrayError]
    while pending:
        error = pending.pop()
        found[error.__name__] = error
        pending += error.__subclasses__()
    return found
