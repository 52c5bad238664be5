"""C++ that is compiled when it is first needed and kept in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["CompilationError", "shared_library"]

FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-pthread", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi")
SECONDS = 120  # for one compilation; it takes 3 on an idle core


class CompilationError(RuntimeError):
    """No compiler, or none that accepts the source; the text says which and what to do."""


def shared_library(source: Path, *defines: str) -> ctypes.CDLL:
    """Load a C++ file as a shared library, compiled on this machine at most once for each compiler.

    Args:
        source: one file that includes only the standard library.
        defines: macros, like ``ELEMENT=float``. ``MULTIVERSION`` is defined where the compiler can build several
            versions of a function into one library.

    Raises:
        CompilationError: as it says.
    """
    compiler, version = _compiler()
    folder = _cache_folder()
    for extra in (*defines, "MULTIVERSION"), defines:
        flags = (*FLAGS, *(f"-D{define}" for define in extra))
        key = "\0".join([source.read_text(encoding="utf-8"), version, platform.machine(), *flags])
        target = folder / f"{source.stem}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
        try:
            return _loaded(target) or _compiled([compiler, *flags], source, target)
        except (subprocess.SubprocessError, OSError) as error:
            reason = _reason(error)
    raise CompilationError(f"{compiler} cannot build {source.name}: {reason}")


@cache
def _compiler() -> tuple[str, str]:
    """The C++ compiler's path and what it says of its version."""
    wanted = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    for name in wanted:
        path = shutil.which(name)
        if path is None:
            continue
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=SECONDS, check=True)
        except (subprocess.SubprocessError, OSError):
            continue
        return path, done.stdout
    raise CompilationError(f"no C++ compiler found ({', '.join(wanted)}); install one, or name it in CXX")


@cache
def _cache_folder() -> Path:
    """A folder that only this user can write: libraries from it are loaded."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "onnxray" / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK) and folder.stat().st_uid == getattr(os, "getuid", lambda: 0)():
            return folder
    except OSError:
        pass  # a read-only home
    return Path(_own_folder().name)


@cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of this process, gone when it ends."""
    return tempfile.TemporaryDirectory(prefix="onnxray-kernels-")


def _loaded(target: Path) -> ctypes.CDLL | None:
    """The library, if it is there and whole."""
    try:
        return ctypes.CDLL(str(target))
    except OSError:
        return None


def _compiled(command: list[str], source: Path, target: Path) -> ctypes.CDLL:
    """Compile beside the target and move it there, so that no other process ever sees half a library."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        subprocess.run(
            [*command, "-o", str(built), str(source)], capture_output=True, text=True, timeout=SECONDS, check=True
        )
        built.replace(target)
    return ctypes.CDLL(str(target))


def _reason(error: Exception) -> str:
    """The compiler's first complaint, in one line."""
    lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines() or [type(error).__name__]
    return next((line for line in lines if "error" in line), lines[0]).strip()
