"""Downloads, watched: whoever sends nothing, or more than was said, is not waited for."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ...converters.limits import MAX_BYTES
from .hub_address import Address
from .hub_cache import blobs

__all__ = ["Downloaded", "download"]

SILENCE = 60.0  # seconds in which nothing arrives
_START = 60.0  # seconds more in which the process may start
_SLACK = 1 << 22  # bytes more than a file's size as it was told
_TICK = 0.25
_ENVIRONMENT = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@dataclass
class Downloaded:
    """What came of a download.

    Attributes:
        models: names of the models that were asked for.
        paths: name of a file -> where it lies now.
        failed: name of a file -> code and reason.
        error: why the rest did not come; "" if all was tried.
    """

    models: list[str] = field(default_factory=list)
    paths: dict[str, Path] = field(default_factory=dict)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    error: str = ""


def download(where: Address, cache: Path) -> Downloaded:
    """Fetch the models of a repository with their data, labels and preprocessing into a cache of the hub's form."""
    found, watch = Downloaded(), _Watch(blobs(cache, where.repository))
    request = {"repository": where.repository, "revision": where.revision, "path": where.path, "cache": str(cache)}
    with _child(request) as lines:
        while not found.error:
            try:
                line = lines.get(timeout=_TICK)
            except queue.Empty:
                found.error = watch.complaint()
                continue
            if line is None:
                found.error = "the process that downloads died; try again"
                break
            told = _read(line)
            if "done" in told:
                break
            watch.heard(told)
            _note(found, told)
    return found


def _note(found: Downloaded, told: Mapping[str, Any]) -> None:
    if "models" in told:
        found.models = list(told["models"])
    elif "got" in told:
        found.paths[told["got"]] = Path(told["path"])
    elif "failed" in told:
        found.failed[told["failed"]] = (told.get("code", "hub"), told["why"])
    elif "error" in told:
        found.error = str(told["error"])


def _read(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


class _Watch:
    """What arrives, seen on the disk."""

    def __init__(self, blobs: Path) -> None:
        self._blobs, self._size, self._most, self._since = blobs, 0, 0, time.monotonic() + _START
        self._old = dict(self._incomplete())  # of a download that was broken off before

    def heard(self, told: Mapping[str, Any]) -> None:
        """Note what the child said."""
        self._since = time.monotonic()
        self._most = told.get("size") or MAX_BYTES

    def complaint(self) -> str:
        """Why the download is not to be waited for any longer; "" while it is."""
        sizes = [size for path, size in self._incomplete() if size != self._old.get(path)]
        if sum(sizes) != self._size:
            self._size, self._since = sum(sizes), time.monotonic()
        if self._most and max(sizes, default=0) > self._most + _SLACK:
            return f"the endpoint sends more than the {self._most:,} bytes that it told; do not trust it"
        if time.monotonic() - self._since > SILENCE:
            return f"the endpoint sent nothing for {SILENCE:g} seconds; try again, or use HF_HUB_OFFLINE=1"
        return ""

    def _incomplete(self) -> Iterator[tuple[Path, int]]:
        for path in self._blobs.glob("*.incomplete"):
            with suppress(OSError):
                yield path, path.stat().st_size


@contextmanager
def _child(request: Mapping[str, str]) -> Iterator[queue.Queue[bytes | None]]:
    """The lines of a fresh interpreter that downloads; whatever happens here, it ends."""
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "onnxray.scanner.catalog.hub_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": paths},
    )
    lines: queue.Queue[bytes | None] = queue.Queue()
    assert process.stdin
    assert process.stdout
    threading.Thread(target=_listen, args=(process.stdout, lines), daemon=True).start()
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.close()
        yield lines
    finally:
        process.kill()
        process.wait()


def _listen(pipe: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    with pipe:
        for line in pipe:
            lines.put(line)
    lines.put(None)
