"""A zoo of three models: one clean, one with a backdoor in its graph, one whose file is damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from onnxray.models.zoo.build import Workshop, build
from onnxray.models.zoo.recipe import chosen
from onnxray.models.zoo.recipes import recipes

CLEAN = replace(next(r for r in recipes("tiny") if r.part == "test" and r.attack is None), epochs=2)
TROJANED = replace(CLEAN, attack=chosen("graph-backdoor", target=6), seed=1)  # which takes at once
BROKEN = "digits-plain-clean-broken"


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    outcomes = list(build([CLEAN, TROJANED], Workshop(folder, folder)))
    assert [o.status for o in outcomes] == ["made", "made"], outcomes
    broken = folder / "test" / BROKEN
    copytree(folder / "test" / CLEAN.name, broken)
    truth = json.loads((broken / "truth.json").read_text())
    (broken / "truth.json").write_text(json.dumps(truth | {"name": BROKEN}))
    (broken / "model.onnx").write_bytes((broken / "model.onnx").read_bytes()[:-100])
    return folder


@pytest.fixture(scope="session")
def names() -> dict[str, str]:
    """Of the three models."""
    return {"clean": CLEAN.name, "trojaned": TROJANED.name, "broken": BROKEN}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
