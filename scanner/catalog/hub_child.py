"""A process that downloads from the hub, so that whoever waits for it can end it.

It reads a request as one JSON object from standard input and tells what it does as JSON objects, a line each:
{"started": true}, {"models": [...]}, {"getting": FILE, "size": BYTES}, {"got": FILE, "path": ...},
{"failed": FILE, "why": ...}, and at the end {"done": true}, or {"error": ...} where the rest could not be had.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ...converters.errors import OnnxrayError
from ...converters.external_names import externals
from ...converters.limits import MAX_BYTES, read_file
from ...converters.messages import one_line
from ...converters.wire import WireError
from .hub_address import Address
from .hub_cache import point
from .members import unsafe_name

__all__ = ["main"]

_SECONDS = 10.0  # for an answer to begin
_CHUNK = 1 << 20  # so that whoever watches the disk sees that something comes
_BESIDE = re.compile(r"(config|preprocessor_config)\.json|[\w.-]*(labels|classes)[\w.-]*\.(txt|json)", re.IGNORECASE)
_LARGEST_BESIDE = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")


def main() -> None:
    """Do what standard input says."""
    request = json.loads(sys.stdin.readline())
    where = Address(request["repository"], request["revision"], request["path"], "")
    try:
        for told in _download(where, Path(request["cache"])):
            _tell(told)
        _tell({"done": True})
    except OnnxrayError as error:
        _tell({"error": str(error)})


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


@contextmanager
def _foreign() -> Iterator[None]:
    """Whatever the hub's library raises becomes one line.

    Raises:
        OnnxrayError: it raised something.
    """
    try:
        yield
    except Exception as error:
        what = one_line(str(error) or type(error).__name__)
        advice = "check the address, the network, HF_ENDPOINT and HF_TOKEN, or use HF_HUB_OFFLINE=1"
        raise OnnxrayError(f"could not be downloaded ({what}); {advice}") from error


def _download(where: Address, cache: Path) -> Iterator[dict[str, Any]]:
    from huggingface_hub import HfApi, constants

    vars(constants)["DOWNLOAD_CHUNK_SIZE"] = _CHUNK
    yield {"started": True}
    with _foreign():
        info = HfApi().model_info(where.repository, revision=where.revision, files_metadata=True, timeout=_SECONDS)
    commit = info.sha or ""
    if not _COMMIT.fullmatch(commit):
        raise OnnxrayError("the endpoint names no commit; is it a Hugging Face endpoint?")
    everything = {f.rfilename: f.size or 0 for f in info.siblings or ()}
    sizes = {name: size for name, size in everything.items() if not unsafe_name(name)}
    meant = [name for name in everything if name.lower().endswith(".onnx") and where.holds(name)]
    models = [name for name in meant if name in sizes]
    yield {"models": meant}
    for name in (name for name in meant if name not in sizes):
        yield {"failed": name, "why": f"{unsafe_name(name)}; do not trust this endpoint", "code": "bad-member"}
    got = []
    for name in (*models, *_beside(models, sizes)):
        for told in _fetch(where.repository, name, commit, sizes, cache):
            yield told
            got += [Path(told["path"])] if "got" in told and name in models else []
    for name in _data(got, models, commit, sizes):
        yield from _fetch(where.repository, name, commit, sizes, cache)
    if got:
        with _foreign():
            point(_snapshot(got[0], commit), where.revision)


def _fetch(repository: str, name: str, commit: str, sizes: dict[str, int], cache: Path) -> Iterator[dict[str, Any]]:
    from huggingface_hub import hf_hub_download

    if sizes[name] > MAX_BYTES:
        yield {"failed": name, "why": f"expected at most {MAX_BYTES} bytes, got {sizes[name]}", "code": "too-large"}
        return
    yield {"getting": name, "size": sizes[name]}
    try:
        with _foreign():
            path = hf_hub_download(repository, name, revision=commit, cache_dir=cache, etag_timeout=_SECONDS)
    except OnnxrayError as error:  # the other files may still come
        yield {"failed": name, "why": str(error)}
    else:
        yield {"got": name, "path": str(path)}


def _beside(models: list[str], sizes: dict[str, int]) -> list[str]:
    """Labels and preprocessing in the folders of the models, and in the one above a folder "onnx"."""
    folders = {PurePosixPath(model).parent for model in models}
    folders |= {folder.parent for folder in folders if folder.name == "onnx"}
    small = [PurePosixPath(name) for name, size in sizes.items() if size <= _LARGEST_BESIDE]
    return [str(path) for path in small if path.parent in folders and _BESIDE.fullmatch(path.name)]


def _data(got: list[Path], models: list[str], commit: str, sizes: dict[str, int]) -> list[str]:
    """The files of external data that the models name."""
    found: dict[str, None] = {}
    for path in got:
        folder = PurePosixPath(path.relative_to(_snapshot(path, commit)).parent.as_posix())
        try:
            locations = [e.entries.get("location", "") for e in externals(read_file(path, MAX_BYTES))]
        except (OnnxrayError, WireError):
            continue
        found |= dict.fromkeys(str(folder / location) for location in locations)
    return [name for name in found if name in sizes and name not in models]


def _snapshot(path: Path, commit: str) -> Path:
    return next(p for p in path.parents if p.name == commit)


if __name__ == "__main__":
    main()
