"""Imports go downhill, files and functions stay small, nothing prints outside the command line."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("kernels", "converters", "scanner", "models")  # each may import itself and what stands before it
FILES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))
PLUGIN_FAMILIES = ("detectors", "documents", "executors", "repairs", "reports", "rules")
LONGEST_FILE, LONGEST_FUNCTION = 300, 40


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, as a path like ``scanner/findings``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            base = "/".join([folder.relative_to(ROOT).as_posix(), *(node.module or "").split(".")]).strip("/.")
            yield base.removeprefix("./")
            yield from (f"{base}/{alias.name}".removeprefix("./") for alias in node.names if not node.module)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            yield from (n.removeprefix("onnxray.").replace(".", "/") for n in names if n.startswith("onnxray"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_downhill(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    above = ROOMS[ROOMS.index(room) + 1 :]
    assert not [name for name in imported(path) if name.split("/")[0] in above]


@pytest.mark.parametrize("family", PLUGIN_FAMILIES)
def test_plugins_never_import_each_other(family: str) -> None:
    for path in (ROOT / "scanner" / family).glob("*.py"):
        siblings = {p.stem for p in path.parent.glob("[!_]*.py")} - {path.stem}
        used = {name.split("/")[-1] for name in imported(path) if name.startswith(f"scanner/{family}/")}
        assert not used & siblings, path.name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_are_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_junk_drawers(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "base", "misc"}


def test_the_pipeline_can_be_read_at_one_sitting() -> None:
    assert len((ROOT / "scanner" / "pipeline.py").read_text(encoding="utf-8").splitlines()) < 80
