"""Make a catalog of models with a seed, and say what a scan has to account for."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..hostile import Case
from ..hostile.bombs import BOMBS
from ..hostile.decide import written
from ..hostile.files import FILES
from . import Expected
from .broken import BROKEN
from .copies import copies

__all__ = ["CATALOG", "MANIFEST", "build"]

CATALOG, MANIFEST = "catalog", "options.toml"
_FOLDERS = ("vision", "vision/small", "vision/small/digits", "vendor-a", "vendor-a/2024", "vendor-b/onnx-models")
_VARIANTS = ("model.onnx", "model_fp16.onnx", "model_quantized.onnx", "model_optimized.onnx")
_REVISION = "0123456789abcdef0123456789abcdef01234567"
# Name of a case -> the code under which it is not scanned; "" where a scan has to tell.
_HOSTILE = {
    "two-graphs": "",
    "code-in-metadata": "",
    "absolute-path": "",
    "nested-if": "",
    "greedy-constant": "",
    "python-operator": "",
    "symbolic-link": "",
    "deep-types": "",
    "constant-of-shape": "",
    "program-in-unused-weight": "",
}


@dataclass
class _Making:
    """A catalog that grows."""

    root: Path
    source: Iterator[bytes]
    draw: random.Random
    names: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)  # of plain ones
    never_clean: list[str] = field(default_factory=list)
    jobs: int = 0

    def add(self, name: str, code: str = "", jobs: int = 1) -> None:
        """Account for a name below the catalog."""
        self.names[f"{CATALOG}/{name}"] = code
        self.jobs += 0 if code else jobs

    def path(self, name: str) -> Path:
        """Where a file of that name goes."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def build(folder: Path, models: int, seed: int) -> Expected:
    """Write ``folder/catalog`` with so many names, and ``folder/options.toml`` with options for some.

    Raises:
        ValueError: fewer than 12 models, which cannot hold one of each kind.
    """
    if models < 12:
        raise ValueError(f"expected at least 12 models, got {models}")
    making = _Making(folder / CATALOG, copies(seed), random.Random(seed))
    _broken(making, min(len(BROKEN), max(3, models // 20)))
    _hostile(making, min(len(_HOSTILE), max(1, models // 30)))
    _archives(making, max(1, models // 40))
    _hub(making, 2 if models < 40 else len(_VARIANTS))
    twins = max(1, models // 15)
    _plain(making, models - len(making.names) - twins)
    _twins(making, twins)
    _options(making, folder / MANIFEST, max(1, models // 100))
    usual = {"mirror", *(name.split("/")[0] for name in _FOLDERS)}
    elsewhere = sorted(path.name for path in making.root.iterdir() if path.name not in usual)
    return Expected(
        names=making.names,
        jobs=making.jobs,
        plain=tuple(making.contents),
        never_clean=tuple(making.never_clean),
        elsewhere=tuple(f"{CATALOG}/{name}" for name in elsewhere),
    )


def _broken(making: _Making, number: int) -> None:
    for kind in BROKEN[:number]:
        kind.make(making.path(f"broken/{kind.file}"), next(making.source))
        name = f"broken/{kind.called or kind.file}"
        making.add(name, kind.code)
        making.never_clean.append(f"{CATALOG}/{name}")


def _hostile(making: _Making, number: int) -> None:
    cases: dict[str, Case] = {case.name: case for case in (*BOMBS, *FILES)}
    (making.root / "hostile").mkdir(parents=True)
    for name, code in list(_HOSTILE.items())[:number]:
        written(cases[name], making.root / "hostile")
        making.add(f"hostile/{name}/{name}.onnx", code)
        making.never_clean.append(f"{CATALOG}/hostile/{name}/{name}.onnx")


def _archives(making: _Making, each: int) -> None:
    for archive in ("downloads/first.zip", "downloads/second.zip"):
        with zipfile.ZipFile(making.path(archive), "w", zipfile.ZIP_DEFLATED) as zipped:
            for number in range(each):
                zipped.writestr(f"nets/{number:02}.onnx", next(making.source))
                making.add(f"{archive}!nets/{number:02}.onnx")
    with tarfile.open(making.path("downloads/third.tar.gz"), "w:gz") as packed:
        for number in range(each):
            content = next(making.source)
            member = tarfile.TarInfo(f"{number:02}/model.onnx")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
            making.add(f"downloads/third.tar.gz!{number:02}/model.onnx")


def _hub(making: _Making, variants: int) -> None:
    """A repository as the hub's own library keeps it: files of a snapshot are links to blobs."""
    repository = "models--acme--digits"
    making.path(f"{repository}/refs/main").write_text(_REVISION, encoding="ascii")
    snapshot = f"{repository}/snapshots/{_REVISION}/onnx"
    for name in _VARIANTS[:variants]:
        content = next(making.source)
        blob = hashlib.sha256(content).hexdigest()
        making.path(f"{repository}/blobs/{blob}").write_bytes(content)
        making.path(f"{snapshot}/{name}").symlink_to(f"../../../blobs/{blob}")
        making.add(f"{snapshot}/{name}")


def _plain(making: _Making, number: int) -> None:
    for place in range(number):
        name = f"{_FOLDERS[place % len(_FOLDERS)]}/net-{place:04}.onnx"
        content = next(making.source)
        making.path(name).write_bytes(content)
        making.add(name)
        making.contents[f"{CATALOG}/{name}"] = content


def _twins(making: _Making, number: int) -> None:
    """Equal bytes under another name: nothing more to scan."""
    for place in range(number):
        name = f"mirror/copy-{place:03}.onnx"
        making.path(name).write_bytes(making.draw.choice(list(making.contents.values())))
        making.add(name, jobs=0)


def _options(making: _Making, manifest: Path, number: int) -> None:
    """Options of their own for some plain models that have no twin, so that the number of jobs stays."""
    twins = {path.read_bytes() for path in (making.root / "mirror").iterdir()}
    alone = [name for name, content in making.contents.items() if content not in twins]
    chosen = making.draw.sample(alone, min(number, len(alone)))
    for name in chosen:
        del making.contents[name]  # no longer scanned with the options of the others
    manifest.write_text("".join(f'[[model]]\nmodel = "{name}"\nsamples = 40\n\n' for name in chosen), encoding="utf-8")
