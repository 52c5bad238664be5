"""The models of a repository on Hugging Face's hub, downloaded or from its cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from . import Entry, Unscanned
from .folders import Folders
from .hub_address import Address, address
from .hub_cache import cache_folder, cached
from .hub_download import Downloaded, download
from .naming import without_path

__all__ = ["models_on_hub"]

_TRUE = ("1", "ON", "YES", "TRUE")


def models_on_hub(text: str, cache: Path | None, told: Callable[[str], None]) -> Iterator[Entry | Unscanned]:
    """Every .onnx file that an address names, as "hf://ORG/REPOSITORY@REVISION/FILE", not hashed yet.

    With HF_HUB_OFFLINE set, nothing is asked of the network and the cache's files are taken.

    Args:
        text: hf://ORG/REPOSITORY[@REVISION][/PATH].
        cache: folder for downloads; None for Hugging Face's own.
        told: called with what is left out on purpose, a line each.

    Raises:
        OnnxrayError: the address has another form.
    """
    where = address(text)
    folder = (cache or cache_folder(os.environ)).absolute()
    if any(os.environ.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        yield from _from_cache(where, folder, told)
    elif find_spec("huggingface_hub") is None:
        yield Unscanned(text, "hub", "huggingface_hub is not installed; pip install 'onnxray[hub]'")
    else:
        told(f"{where.shown}: downloading")
        yield from _from_download(where, text, download(where, folder))


def _from_cache(where: Address, folder: Path, told: Callable[[str], None]) -> Iterator[Entry | Unscanned]:
    name = f"{where.shown}/{where.path}".rstrip("/")
    try:
        snapshot = cached(folder, where.repository, where.revision)
    except OSError as error:
        yield Unscanned(name, "unreadable", without_path(error, folder))
        return
    path = snapshot and snapshot / where.path
    if path is None or not os.path.lexists(path):
        yield Unscanned(name, "hub", "not in the cache, and HF_HUB_OFFLINE is set; unset it to download")
    elif path.is_dir():
        yield from Folders(told).walk(path, name)
    else:
        yield Entry(name, path, "", 0)


def _from_download(where: Address, text: str, found: Downloaded) -> Iterator[Entry | Unscanned]:
    data = [f"{name}: {why}" for name, (_, why) in found.failed.items() if name not in found.models]
    for model in found.models:
        name = f"{where.shown}/{model}"
        code, why = found.failed.get(model, ("hub", found.error or "the download ended early; try again"))
        if model not in found.paths:
            yield Unscanned(name, code, why)
        else:
            yield Entry(name, found.paths[model], "", 0)
    yield from (Unscanned(text, "hub", f"downloaded without {line}") for line in data)
    if found.error and (data or not found.models or set(found.models) <= set(found.paths)):
        yield Unscanned(text, "hub", found.error)
    elif not found.models:
        yield Unscanned(text, "hub", "the repository holds no .onnx file here; check the address")
