"""Hugging Face's cache: ``models--ORG--NAME/{refs, blobs, snapshots/REVISION/... links into blobs}``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["astray", "blobs", "cache_folder", "cached", "is_repository", "origin", "point", "snapshots"]

_PREFIX = "models--"
_LONGEST_REF = 256


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where the hub's own library keeps its downloads."""
    if given := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(given).expanduser()
    usual = Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(environment.get("HF_HOME") or usual).expanduser() / "hub"


def cached(cache: Path, repository: str, revision: str) -> Path | None:
    """The snapshot of a revision, if it is in the cache.

    Raises:
        OSError: the cache cannot be read.
    """
    folder = _folder(cache, repository)
    ref = folder / "refs" / revision
    snapshot = folder / "snapshots" / (_text(ref) if ref.is_file() else revision)
    return snapshot if snapshot.parent.name == "snapshots" and snapshot.is_dir() else None


def blobs(cache: Path, repository: str) -> Path:
    """Where the contents of a repository's files lie."""
    return _folder(cache, repository) / "blobs"


def is_repository(folder: Path) -> bool:
    """Whether a folder is a model's repository in the cache."""
    return folder.name.startswith(_PREFIX) and (folder / "snapshots").is_dir()


def snapshots(repository: Path) -> tuple[list[Path], int]:
    """The snapshots that a branch or tag points at, or all where none does, and the number of those left out.

    Raises:
        OSError: the folder cannot be read.
    """
    there = sorted(p for p in (repository / "snapshots").iterdir() if p.is_dir())
    refs = [p for p in (repository / "refs").rglob("*") if p.is_file()] if (repository / "refs").is_dir() else []
    named = {_text(ref) for ref in refs}
    chosen = [p for p in there if p.name in named] or there
    return chosen, len(there) - len(chosen)


def origin(path: Path) -> dict[str, str]:
    """The repository and the revision of a file in the cache; empty for any other."""
    for folder in path.parents:
        repository = folder.parent.parent
        if folder.parent.name == "snapshots" and repository.name.startswith(_PREFIX):
            name = repository.name.removeprefix(_PREFIX).replace("--", "/", 1)
            return {"repository": name, "revision": folder.name}
    return {}


def astray(path: Path) -> bool:
    """Whether a file of a snapshot is a link that leaves its repository, as no download makes it."""
    snapshot = next((p for p in path.parents if p.parent.name == "snapshots"), None)
    return snapshot is not None and not path.resolve().is_relative_to(snapshot.parent.parent.resolve())


def point(snapshot: Path, revision: str) -> None:
    """Note that a branch or tag stands for this snapshot, as the hub's own library does.

    Raises:
        OSError: the cache cannot be written.
    """
    ref = snapshot.parent.parent / "refs" / revision
    if revision != snapshot.name:
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(snapshot.name)


def _folder(cache: Path, repository: str) -> Path:
    return cache / f"{_PREFIX}{repository.replace('/', '--')}"


def _text(ref: Path) -> str:
    with ref.open("rb") as file:
        return file.read(_LONGEST_REF).decode(errors="replace").strip()
