"""A tiny endpoint of the hub's form on loopback, that behaves or does not."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Endpoint:
    """What it serves, how, and what it was asked for.

    Attributes:
        files: of the repository org/repo.
        faults: name of a file -> "hang", "break" (ends in the middle), "short" (fewer bytes than told before), "flood"
            (never ends) or "gone" (404); of the repository itself under "".
        asked: paths of files that were downloaded.
    """

    files: dict[str, bytes]
    faults: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        path = request.path.partition("?")[0]
        if path.startswith("/api/models/org/repo"):
            self._describe(request)
        elif path.startswith("/org/repo/resolve/") and (name := path.split("/", 5)[5]) in self.files:
            self._serve(request, name, body)
        else:
            request.send_error(404)

    def _describe(self, request: BaseHTTPRequestHandler) -> None:
        fault = self.faults.get("", "")
        if fault == "hang":
            self.ended.wait(30)
        commit = "../../../evil" if fault == "lie" else COMMIT
        files = [{"rfilename": name, "size": len(content), "blobId": "0" * 40} for name, content in self.files.items()]
        files += [{"rfilename": "../evil.onnx", "size": 4}] if fault == "evil" else []
        text = json.dumps({"id": "org/repo", "sha": commit, "siblings": files, "private": False, "tags": []}).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def _serve(self, request: BaseHTTPRequestHandler, name: str, body: bool) -> None:
        content, fault = self.files[name], self.faults.get(name, "")
        if fault == "gone":
            request.send_error(404)
            return
        if body:
            self.asked.append(name)
        request.send_response(200)
        told = len(content) * 2 if fault in ("break", "short") and not (fault == "short" and body) else len(content)
        if not (body and fault == "flood"):
            request.send_header("Content-Length", str(told))
        request.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        request.end_headers()
        if body and fault == "hang":
            self.ended.wait(30)
        elif body:
            request.wfile.write(content)
            while fault == "flood" and not self.ended.is_set():
                request.wfile.write(bytes(1 << 18))
                time.sleep(0.005)


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[Endpoint]]:
    """Serve files as a repository org/repo, with faults, for as long as the context lasts."""
    return _serving


@contextmanager
def _serving(files: dict[str, bytes], faults: dict[str, str] | None = None) -> Iterator[Endpoint]:
    endpoint = Endpoint(files, faults or {})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._do(body=True)

        def do_HEAD(self) -> None:
            self._do(body=False)

        def _do(self, body: bool) -> None:
            try:
                endpoint.answer(self, body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield endpoint
    finally:
        endpoint.ended.set()
        server.shutdown()
        server.server_close()
