"""Listen to a confined process and hold its limits from outside."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import IO

from ...converters.messages import one_line
from .channel import Frame, FrameError, frames
from .limits import Died, Limits

__all__ = ["Watch"]

_EVERY = 0.25  # seconds between two looks at the child's memory
_MOST_LINES = 500  # of its standard error that are passed on
_ENDS = ("done", "user", "memo", "bug")


class Watch:
    """One child's messages, standard error and limits.

    Attributes:
        confinement: what the child says that it is held by; its own word, for the report.
        peak_memory: most bytes that were seen resident.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        limits: Limits,
        progress: Callable[[str, float], None],
        told: Callable[[str], None],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.process, self.limits, self.progress, self.stop = process, limits, progress, stop
        self.confinement: dict[str, str] = {}
        self.peak_memory = 0
        self.stage, self.lines = "", deque[str](maxlen=20)
        # Bounded: a child that talks without end has to wait, and cannot fill this process's memory.
        self._messages = Queue[Frame | FrameError | None](maxsize=16)
        assert process.stdout is not None
        assert process.stderr is not None
        Thread(target=self._listen, args=(process.stdout,), daemon=True).start()
        self._errors = Thread(target=self._read_lines, args=(process.stderr, told), daemon=True)
        self._errors.start()

    def follow(self) -> Frame | Died:
        """Its answer, or how it ended."""
        started = last = monotonic()
        while True:
            try:
                message = self._messages.get(timeout=_EVERY)
            except Empty:
                message = Frame("tick", b"")
            now = monotonic()
            if isinstance(message, FrameError):
                return self._died("garbled", f"it sent what is no answer ({message})")
            if message is None:
                return self._fate()
            if message.kind == "memo":
                return self._died("memory", f"it needs more than the {_gib(self.limits.most_memory)} it may use")
            if message.kind in _ENDS:
                self.peak_memory = max(self.peak_memory, _resident(self.process.pid)[1])
                return message
            if message.kind != "tick":
                last = now
                self._note(message)
            if over := self._over(now - started, now - last):
                return over

    def _over(self, ran: float, silent: float) -> Died | None:
        if ran > self.limits.seconds:
            return self._died("wall-clock", f"it had run for {self.limits.seconds:g} seconds, which is the limit")
        if silent > self.limits.silence:
            return self._died("silence", f"it had not moved for {self.limits.silence:g} seconds, which is the limit")
        held, most = _resident(self.process.pid)
        self.peak_memory = max(self.peak_memory, most)
        if held > self.limits.most_memory:
            return self._died("memory", f"it used {_gib(held)}, and the limit is {_gib(self.limits.most_memory)}")
        return self._died("stopped", "it was told to stop") if self.stop() else None

    def _note(self, message: Frame) -> None:
        try:
            told = json.loads(message.text)
            if message.kind == "held":
                self.confinement = dict(
                    zip(("files", "network", "memory"), (one_line(t, 60) for t in told), strict=True)
                )
            elif message.kind == "move":
                text, fraction = told
                self.stage = one_line(text, 100)
                self.progress(self.stage, min(1.0, max(0.0, float(fraction))))
        except (ValueError, TypeError):
            return  # progress is for people only; the answer decides

    def _fate(self) -> Died:
        """Why a process that sent no answer is gone."""
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            return self._died("garbled", "it closed its channel without an answer")
        self._errors.join(timeout=2)
        if code == -getattr(signal, "SIGXCPU", 0):
            return self._died("cpu-time", f"it had used {self.limits.cpu_seconds} seconds of CPU time, the limit")
        last = f"; its last words: {self.lines[-1]}" if self.lines else ""
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            if name == "SIGKILL":
                return self._died("killed", f"the system killed it, as it does where memory runs out{last}")
            return self._died("signal", f"it crashed with {name}{last}")
        return self._died("exit", f"it ended with {code} and no answer{last}")

    def _died(self, code: str, why: str) -> Died:
        return Died(code, why, self.stage, self.peak_memory)

    def _listen(self, pipe: IO[bytes]) -> None:
        try:
            for frame in frames(pipe):
                self._messages.put(frame)
        except FrameError as error:
            self._messages.put(error)
        except (OSError, ValueError):
            pass  # closed by us
        self._messages.put(None)

    def _read_lines(self, pipe: IO[bytes], told: Callable[[str], None]) -> None:
        try:
            spoken = 0
            while line := pipe.readline(4096):
                spoken += 1
                if text := one_line(line.decode(errors="replace"), 300):
                    self.lines.append(text)
                    if spoken <= _MOST_LINES:
                        told(text)
        except (OSError, ValueError):
            return  # closed by us


def _resident(process: int) -> tuple[int, int]:
    """Bytes of memory that a process holds, and the most it ever held; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0, 0
    told = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS:", "VmHWM:")))
    held, most = (int(told.get(name, "0").split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return held, most


def _gib(size: int) -> str:
    return f"{size / 2**30:.2g} GiB"
