import ctypes
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from onnxray.kernels.activation_norms import activation_norms, activation_norms_reference, backend_for
from onnxray.kernels.norms import backends, compiled, library
from onnxray.kernels.norms.library import CompilationError, shared_library

SOURCE = 'extern "C" int answer() { return ANSWER; }\n'


def forget() -> None:
    for cached in (library._compiler, library._cache_folder, compiled.library, backends._on_cpu):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget()
    yield tmp_path / "onnxray" / "kernels"
    forget()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "answer.cpp"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def compiler() -> None:
    try:
        library._compiler()
    except CompilationError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("compiler")
def test_a_library_is_compiled_once_and_kept_for_this_user_alone(source: Path, own_cache: Path) -> None:
    assert shared_library(source, "ANSWER=42").answer() == 42
    (built,) = own_cache.glob("*")
    before = built.stat()
    assert stat.S_IMODE(own_cache.stat().st_mode) == 0o700
    assert shared_library(source, "ANSWER=42").answer() == 42
    assert built.stat().st_mtime_ns == before.st_mtime_ns
    assert shared_library(source, "ANSWER=43").answer() == 43
    assert len(list(own_cache.glob("*"))) == 2


@pytest.mark.usefixtures("compiler")
def test_an_edited_source_is_another_library(source: Path) -> None:
    assert shared_library(source, "ANSWER=1").answer() == 1
    source.write_text(SOURCE.replace("ANSWER;", "ANSWER + 1;"))
    assert shared_library(source, "ANSWER=1").answer() == 2


@pytest.mark.usefixtures("compiler")
def test_a_source_that_does_not_compile_says_why_and_leaves_nothing(source: Path, own_cache: Path) -> None:
    with pytest.raises(CompilationError, match=r"cannot build answer\.cpp: .*ANSWER"):
        shared_library(source)
    assert not list(own_cache.glob("*"))


@pytest.mark.usefixtures("compiler")
@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_cannot_be_written_does_not_matter(source: Path, own_cache: Path) -> None:
    own_cache.parent.parent.chmod(0o500)
    assert shared_library(source, "ANSWER=5").answer() == 5


@pytest.mark.usefixtures("compiler")
def test_a_cache_that_is_a_file_does_not_matter(source: Path, own_cache: Path) -> None:
    own_cache.parent.write_text("in the way")
    assert shared_library(source, "ANSWER=5").answer() == 5


@pytest.mark.usefixtures("compiler")
def test_a_damaged_library_is_built_again(
    source: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_library(source, "ANSWER=1")
    (built,) = own_cache.glob("*")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))  # the loader knows a path that it has seen
    forget()
    damaged = library._cache_folder() / built.name
    damaged.write_bytes(built.read_bytes()[:100])
    assert shared_library(source, "ANSWER=1").answer() == 1
    assert list(damaged.parent.glob("*")) == [damaged]
    assert damaged.stat().st_size == built.stat().st_size


def test_without_a_compiler_it_is_plain_torch_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    backend = backend_for("cpu")
    assert backend.name == "torch"
    assert "no-such-compiler" in backend.note
    assert "CXX" in backend.note
    x = torch.randn(2, 3, 40, 40)
    for got, want in zip(activation_norms(x)[:3], activation_norms_reference(x.double())[:3], strict=True):
        assert got is not None
        assert want is not None
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=0)


@pytest.mark.usefixtures("compiler")
def test_a_compiler_without_multiversioning_will_do(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str], source: Path, target: Path) -> ctypes.CDLL:
        if "-DMULTIVERSION" in command:
            raise subprocess.CalledProcessError(1, command, stderr="error: target_clones is not supported")
        return plain(command, source, target)

    plain = library._compiled
    monkeypatch.setattr(library, "_compiled", refuse)
    assert shared_library(source, "ANSWER=3").answer() == 3
