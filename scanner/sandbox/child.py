"""The confined side: give up every right, read the job, run it, send what it returns.

Started as ``python -m onnxray.scanner.sandbox.child``; nothing heavy is imported before the rights are gone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import IO

from .channel import Frame, frames, send
from .confine import confine
from .limits import Limits

__all__: list[str] = []

_EVERY = 0.1  # seconds between two signs of progress


def main() -> None:
    """Serve one job: its frames come on standard input, the answer leaves on what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    incoming = frames(sys.stdin.buffer)
    job = next(incoming)
    scratch = Path(os.environ["ONNXRAY_SCRATCH"])
    _confine(job, scratch, answers)
    _serve(next(incoming), job.text.decode(), answers)


def _confine(job: Frame, scratch: Path, answers: IO[bytes]) -> None:
    told = json.loads(job.data)
    held = confine(Limits(**told["limits"]), [scratch], told["gpu"])
    send(answers, Frame("held", json.dumps([held.files, held.network, held.memory]).encode()))


def _serve(arguments: Frame, name: str, answers: IO[bytes]) -> None:
    from ..errors import OnnxrayError
    from .codec import decode_named, encode, hints_of

    try:
        function = _function(name)
        hints = hints_of(function)
        told = decode_named(arguments.text, arguments.data, hints)
        if "progress" in hints:
            told["progress"] = _reporter(answers)
        send(answers, Frame("done", *encode(function(**told))))
    except OnnxrayError as error:
        _fail(answers, "user", error)
    except MemoryError as error:
        _fail(answers, "memo", error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to be told
        _fail(answers, "bug", error)


def _function(name: str) -> Callable[..., object]:
    from importlib import import_module

    module, _, attribute = name.partition(":")
    function: Callable[..., object] = getattr(import_module(module), attribute)
    return function


def _reporter(answers: IO[bytes]) -> Callable[[str, float], None]:
    """Signs of progress, not more often than an eye can follow."""
    last, lock = [("", 0.0)], Lock()

    def report(text: str, fraction: float) -> None:
        now = monotonic()
        with lock:
            if text != last[0][0] or now - last[0][1] >= _EVERY:
                last[0] = text, now
                send(answers, Frame("move", json.dumps([text[:1000], fraction]).encode()))

    return report


def _fail(answers: IO[bytes], kind: str, error: Exception) -> None:
    from traceback import format_exception

    trace = "".join(format_exception(error))
    send(answers, Frame(kind, json.dumps([type(error).__name__, str(error)[:5000], trace[-5000:]]).encode()))


if __name__ == "__main__":
    main()
