"""What every plugin must keep to, run on the bundled pair; new files join by their presence."""

import pickle
import re
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from onnxray.converters import Model, open_model
from onnxray.models.bundled_files import bundled
from onnxray.scanner.detectors import Budget, Detector, Needs
from onnxray.scanner.domain_search import find_domain
from onnxray.scanner.errors import OptionError
from onnxray.scanner.findings import Evidence
from onnxray.scanner.images import load_images
from onnxray.scanner.registry import build, plugins
from onnxray.scanner.repairs import Repair
from onnxray.scanner.reports import Format
from onnxray.scanner.samples import Samples
from onnxray.scanner.surrogates import Surrogates, make_surrogates
from onnxray.scanner.training_data import TrainingSet, pictures

DETECTORS = plugins("onnxray.scanner.detectors", Detector)  # type: ignore[type-abstract]
REPAIRS = plugins("onnxray.scanner.repairs", Repair)  # type: ignore[type-abstract]
FORMATS = plugins("onnxray.scanner.reports", Format)  # type: ignore[type-abstract]
QUICK: dict[str, Any] = {
    "steps": 10,
    "patches": 200,
    "generations": 3,
}  # options that make a method quick, where it has them


@cache
def subject(name: str) -> tuple[Model, Samples]:
    model = open_model(bundled(name))
    _, samples = find_domain(model, load_images(bundled("samples.npz"), limit=60))
    model.build_twin(samples.inputs())
    return model, samples


def quick(plugin: type[Detector]) -> Detector:
    names = {field.name for field in fields(plugin)}
    return replace(plugin(), **{k: v for k, v in QUICK.items() if k in names})


def evidence_of(plugin: type[Detector], budget: Budget | None = None) -> list[Evidence]:
    return list(quick(plugin).run(*subject("trojaned.onnx"), given(plugin, budget or Budget())))


def given(plugin: type[Detector], budget: Budget) -> Budget:
    """With what a scan gives, where there is enough for it."""
    return replace(budget, training=training(), surrogates=surrogates() if Needs.SURROGATES in plugin.needs else None)


@cache
def surrogates() -> Surrogates | None:
    _, samples = subject("trojaned.onnx")
    return make_surrogates(samples, 10, 0, "cpu")


@cache
def training() -> TrainingSet:
    """All bundled samples, which have no poison among them, as a training set."""
    model, _ = subject("trojaned.onnx")
    choice, _ = find_domain(model, load_images(bundled("samples.npz"), limit=60))
    return pictures(bundled("samples.npz"), model, choice)


@pytest.mark.parametrize("plugin", [*DETECTORS.values(), *FORMATS.values()])
def test_a_plugin_is_a_frozen_dataclass_that_pickles(plugin: type[Any]) -> None:
    assert is_dataclass(plugin)
    assert plugin.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(plugin())) == plugin()


@pytest.mark.parametrize("plugin", DETECTORS.values())
def test_the_docstring_tells_what_a_detector_assumes_and_misses(plugin: type[Detector]) -> None:
    doc = plugin.__doc__ or ""
    assert doc.splitlines()[0].endswith(".")
    assert "Assumes:" in doc
    assert "Misses:" in doc


@pytest.mark.parametrize("name", DETECTORS)
def test_evidence_is_sound(name: str) -> None:
    model, _ = subject("trojaned.onnx")
    found = evidence_of(DETECTORS[name])
    assert found
    for evidence in found:
        assert evidence.detector == name
        assert len(evidence.classes) == model.classes
        assert evidence.statistic
        assert 0 <= evidence.score <= 1
        assert evidence.p_value is None or 0 <= evidence.p_value <= 1
        assert all(0 <= c < model.classes for c in evidence.flagged)
        for trigger in evidence.triggers:
            assert 0 <= trigger.mask.min() <= trigger.mask.max() <= 1
            assert 0 <= trigger.pattern.min() <= trigger.pattern.max() <= 1


@pytest.mark.parametrize("plugin", DETECTORS.values())
def test_the_same_seed_gives_the_same_evidence(plugin: type[Detector]) -> None:
    one, two = evidence_of(plugin, Budget(seed=3)), evidence_of(plugin, Budget(seed=3))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.classes, b.classes)
        assert a.flagged == b.flagged
        for s, t in zip(a.triggers, b.triggers, strict=True):
            np.testing.assert_array_equal(s.mask, t.mask)
            np.testing.assert_array_equal(s.pattern, t.pattern)


@pytest.mark.parametrize("plugin", DETECTORS.values())
def test_a_detector_leaves_the_model_alone(plugin: type[Detector]) -> None:
    model, samples = subject("trojaned.onnx")
    before = [p.clone() for p in model.torch.parameters()]
    scores = model.run(samples.inputs())
    evidence_of(plugin)
    assert all((p == q).all() for p, q in zip(before, model.torch.parameters(), strict=True))
    np.testing.assert_array_equal(model.run(samples.inputs()), scores)


@pytest.mark.parametrize("plugin", DETECTORS.values())
def test_a_detector_that_is_out_of_time_stops_and_says_so(plugin: type[Detector]) -> None:
    model, samples = subject("trojaned.onnx")
    started = monotonic()
    found = list(plugin().run(model, samples, given(plugin, Budget(deadline=started))))
    assert monotonic() - started < 10
    assert all(e.details.get("complete") is not True for e in found)


@pytest.mark.parametrize("plugin", DETECTORS.values())
def test_a_detector_that_needs_samples_says_how_many(plugin: type[Detector]) -> None:
    assert (plugin.min_samples > 0) == (Needs.SAMPLES in plugin.needs)


def numeric_options() -> Iterator[tuple[str, str, str]]:
    """Repair, option and type of every option that is a number."""
    for name, repair in REPAIRS.items():
        yield from ((name, f.name, str(f.type)) for f in fields(repair) if f.type in ("int", "float"))


@pytest.mark.parametrize(("name", "option", "kind"), list(numeric_options()))
def test_a_repair_refuses_options_under_which_it_would_do_nothing_or_never_end(
    name: str, option: str, kind: str
) -> None:
    for value in (-1, 10**12, *((0,) if kind == "int" else (float("nan"), float("inf")))):
        with pytest.raises(OptionError, match=rf"expected {option} of at (least|most) .*, got {value}"):
            build(REPAIRS[name], {option: value})


@pytest.fixture
def example() -> Iterator[type[Detector]]:
    """The detector printed in CONTRIBUTING.md, as a module of the family."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = types.ModuleType("onnxray.scanner.detectors.favourite_class")
    module.__package__ = "onnxray.scanner.detectors"
    import sys

    sys.modules[module.__name__] = module
    exec(compile(code, "CONTRIBUTING.md", "exec"), vars(module))
    yield module.FavouriteClass
    del sys.modules[module.__name__]


def test_the_example_in_contributing_works(example: type[Detector]) -> None:
    (evidence,) = example().run(*subject("trojaned.onnx"), Budget())
    assert sum(evidence.classes) == pytest.approx(1)
    assert "Misses:" in (example.__doc__ or "")
