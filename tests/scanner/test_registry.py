import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from onnxray.scanner.detectors import Detector
from onnxray.scanner.errors import OptionError
from onnxray.scanner.registry import build, names, plugins

FAMILY = "onnxray.scanner.detectors"


@dataclass(frozen=True, kw_only=True)
class Method:
    steps: int = 3
    rate: float = 0.5
    exact: bool = False


def test_a_method_is_found_by_its_file_and_named_after_it() -> None:
    found = plugins(FAMILY, Detector)  # type: ignore[type-abstract]
    assert found["neural-cleanse"].__name__ == "NeuralCleanse"
    assert names(FAMILY) == list(found)


def test_options_are_read_as_their_type() -> None:
    assert build(Method, {"steps": "7", "rate": "0.25", "exact": "true"}) == Method(steps=7, rate=0.25, exact=True)


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(OptionError, match=r"Method has no option \['step'\]; it has \['exact', 'rate', 'steps'\]; did"):
        build(Method, {"step": 1})


@pytest.mark.parametrize("value", ["many", "1.5", None])
def test_a_value_of_the_wrong_type_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match="steps"):
        build(Method, {"steps": value})


@pytest.mark.parametrize(("code", "got"), [("x = 1", r"\[\]"), ("class A(K): ...\nclass B(K): ...", r"\['A', 'B'\]")])
def test_a_module_must_hold_exactly_one_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, got: str
) -> None:
    package = tmp_path / "family_of_plugins"
    package.mkdir()
    (package / "__init__.py").write_text("class Kind: ...\n")
    (package / "_shared.py").write_text("y = 2\n")
    (package / "thing.py").write_text(f"from . import Kind as K\n{code}\n")
    monkeypatch.syspath_prepend(tmp_path)
    import family_of_plugins  # type: ignore[import-not-found]

    try:
        with pytest.raises(TypeError, match=got):
            plugins("family_of_plugins", family_of_plugins.Kind)
    finally:
        for name in [n for n in sys.modules if n.startswith("family_of_plugins")]:
            del sys.modules[name]
