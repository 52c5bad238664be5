"""Every repair on the bundled pair, under the true trigger: what it closes, what it costs, what it touches."""

import json
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxray.converters import Model, open_model, save
from onnxray.converters.edited import run_edited, run_graph
from onnxray.converters.runtime import Session
from onnxray.models.bundled_files import bundled
from onnxray.scanner.domain_search import find_domain
from onnxray.scanner.errors import RepairError
from onnxray.scanner.images import load_images
from onnxray.scanner.registry import plugins
from onnxray.scanner.repairs import Budget, Repair, Repaired, Requires, _tuning
from onnxray.scanner.repairs._judge import Judge
from onnxray.scanner.samples import Samples
from onnxray.scanner.triggers import Trigger

REPAIRS = plugins("onnxray.scanner.repairs", Repair)  # type: ignore[type-abstract]
CLOSES = {"few-samples": 0.85, "linf-prune": 0.75, "prune-neurons": 0.05, "unlearn": 0.2}  # attack success after
MAY_REFUSE = {"anp", "clp", "few-samples", "freeze-gates", "i-bau", "linf-prune", "prune-neurons", "relabel"}
QUICK: dict[str, dict[str, Any]] = {
    "anp": {"iterations": 40},
    "clip-activations": {"epochs": 8},
    "fine-prune": {"epochs": 2},
    "i-bau": {"rounds": 2, "pictures": 100},
    "unlearn": {"epochs": 12},
}


def true_trigger() -> Trigger:
    truth = json.loads(bundled("truth.json").read_text())
    mask, pattern = np.zeros((28, 28), np.float32), np.zeros((1, 28, 28), np.float32)
    rows = np.array(truth["trigger"]["pattern"], np.float32) / 255
    top, left = truth["trigger"]["row"], truth["trigger"]["column"]
    mask[top : top + len(rows), left : left + len(rows[0])] = 1
    pattern[0, top : top + len(rows), left : left + len(rows[0])] = rows
    return Trigger(truth["target"], mask, pattern)


TRIGGER = true_trigger()


@pytest.fixture(params=["trojaned.onnx", "clean.onnx"])
def subject(request: pytest.FixtureRequest) -> tuple[Model, Samples, Samples]:
    return opened(request.param)


@cache
def opened(name: str) -> tuple[Model, Samples, Samples]:
    model = open_model(bundled(name))
    _, samples = find_domain(model, load_images(bundled("samples.npz")))
    work, judge = samples.halves(0)
    model.build_twin(work.inputs()[:48])
    return model, work, judge


@pytest.fixture
def trojaned() -> tuple[Model, Samples, Samples]:
    return opened("trojaned.onnx")


def session(model: Model, repaired: Repaired) -> Session:
    return run_edited(model, repaired.edits) if repaired.proto is None else run_graph(model, repaired.proto)


def accuracy(runner: Model | Session, samples: Samples) -> float:
    return float((runner.run(samples.inputs()).argmax(1) == samples.labels).mean())


def attack(runner: Model | Session, samples: Samples) -> float:
    others = samples.outside([TRIGGER.target])
    inputs = others.domain.to_input(TRIGGER.stamp(others.images))
    return float((runner.run(inputs).argmax(1) == TRIGGER.target).mean())


@cache
def run(name: str, model: Model, work: Samples) -> Repaired:
    return replace(REPAIRS[name](), **QUICK.get(name, {})).run(model, work, [TRIGGER], Budget(seed=1))


@pytest.mark.parametrize("name", REPAIRS)
def test_a_repair_neither_wrecks_nor_touches_the_model(name: str, subject: tuple[Model, Samples, Samples]) -> None:
    model, work, judge = subject
    before, scores = [p.clone() for p in model.torch.state_dict().values()], model.run(judge.inputs())
    try:
        repaired = run(name, model, work)
    except RepairError:
        assert name in MAY_REFUSE
    else:
        assert repaired.note
        assert accuracy(session(model, repaired), judge) >= accuracy(model, judge) - 0.06
    assert all((p == q).all() for p, q in zip(before, model.torch.state_dict().values(), strict=True))
    assert not any(p.requires_grad for p in model.torch.state_dict(keep_vars=True).values())
    np.testing.assert_array_equal(model.run(judge.inputs()), scores)


@pytest.mark.parametrize("name", CLOSES)
def test_a_repair_closes_the_true_trigger(name: str, trojaned: tuple[Model, Samples, Samples]) -> None:
    model, work, judge = trojaned
    assert attack(model, judge) > 0.95
    assert attack(session(model, run(name, model, work)), judge) <= CLOSES[name]


@pytest.mark.parametrize(
    "name", sorted(set(REPAIRS) - {"clip-activations", "clp", "filter", "freeze-gates", "relabel"})
)
def test_only_the_edited_weights_differ_in_the_file(
    name: str, trojaned: tuple[Model, Samples, Samples], tmp_path: Path
) -> None:
    model, work, judge = trojaned
    repaired = run(name, model, work)
    save(model, repaired.edits, tmp_path / "out.onnx")
    assert repaired.edits
    one, two = onnx.load(model.path), onnx.load(tmp_path / "out.onnx")
    for a, b in zip(one.graph.initializer, two.graph.initializer, strict=True):
        same = np.array_equal(numpy_helper.to_array(a), numpy_helper.to_array(b))
        assert same or a.name in repaired.edits
        a.ClearField("raw_data"), b.ClearField("raw_data")
    assert one.SerializeToString(deterministic=True) == two.SerializeToString(deterministic=True)
    written = open_model(tmp_path / "out.onnx")
    np.testing.assert_allclose(written.run(judge.inputs()), session(model, repaired).run(judge.inputs()), atol=1e-6)


def test_clipping_only_adds_min_nodes(trojaned: tuple[Model, Samples, Samples]) -> None:
    model, work, judge = trojaned
    repaired = run("clip-activations", model, work)
    assert repaired.proto is not None
    assert not repaired.edits
    onnx.checker.check_model(repaired.proto)
    old, new = model.graph.graph, repaired.proto.graph
    assert [n.op_type for n in new.node if n.op_type != "Min"] == [n.op_type for n in old.node]
    assert len(new.node) == len(old.node) + 3
    assert [t for t in new.initializer if "__bound_" not in t.name] == list(old.initializer)
    agree = session(model, repaired).run(judge.inputs()).argmax(1) == model.predict(judge.inputs())
    assert agree.mean() > 0.9
    assert not np.array_equal(session(model, repaired).run(judge.inputs()), model.run(judge.inputs()))


@pytest.mark.parametrize("name", ["prune-neurons", "linf-prune", "few-samples"])
def test_methods_without_gradients_need_no_twin(name: str) -> None:
    model = open_model(bundled("trojaned.onnx"))
    _, samples = find_domain(model, load_images(bundled("samples.npz"), limit=100))
    assert Requires.GRADIENTS not in REPAIRS[name].needs
    assert run(name, model, samples).edits


def test_a_layer_is_never_emptied(trojaned: tuple[Model, Samples, Samples]) -> None:
    from onnxray.converters.channels import find_layers
    from onnxray.converters.edited import weight_values

    model, *_ = trojaned
    layer = find_layers(model.graph, model.facts.output.name).found[0]
    with pytest.raises(ValueError, match="all would be cleared"):
        layer.cleared(weight_values(model), range(layer.channels))


def test_a_layer_that_is_not_there_is_named(trojaned: tuple[Model, Samples, Samples]) -> None:
    model, work, _ = trojaned
    with pytest.raises(RepairError, match=r"no layer 'nowhere'.*there are .*Conv_output_0"):
        replace(REPAIRS["prune-neurons"](), layer="nowhere").run(model, work, [TRIGGER], Budget())  # type: ignore[call-arg]


@pytest.mark.parametrize("plugin", REPAIRS.values())
def test_a_repair_says_what_it_assumes_and_misses(plugin: type[Repair]) -> None:
    doc = plugin.__doc__ or ""
    assert doc.splitlines()[0].endswith(".")
    assert "Assumes:" in doc
    assert "Misses:" in doc
    assert (plugin.min_samples > 0) == (Requires.SAMPLES in plugin.needs)
    assert len(fields(plugin)) > 0


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_the_norm_can_be_chosen(norm: str, trojaned: tuple[Model, Samples, Samples]) -> None:
    model, work, judge = trojaned
    repaired = replace(REPAIRS["linf-prune"](), norm=norm, most=0.3).run(model, work, [TRIGGER], Budget())  # type: ignore[call-arg]
    assert attack(session(model, repaired), judge) < 0.5


def test_a_trigger_that_moves_every_class_is_judged_by_its_mapping(trojaned: tuple[Model, Samples, Samples]) -> None:
    model, work, _ = trojaned
    nothing, next_class = np.zeros_like(TRIGGER.mask), tuple((c + 1) % 10 for c in range(10))
    still = replace(TRIGGER, mask=nothing)
    assert Judge(model, work, [replace(still, mapping=next_class)]).before.attack < 0.1
    assert Judge(model, work, [replace(still, mapping=tuple(range(10)))]).before.attack > 0.8


@pytest.mark.parametrize(("fading", "rates"), [(True, [0.3, 0.2, 0.1]), (False, [0.3, 0.3, 0.3])])
def test_the_learning_rate_fades_over_the_epochs(
    fading: bool, rates: list[float], trojaned: tuple[Model, Samples, Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(_tuning, "_round", lambda twin, optimiser, *rest: seen.append(optimiser.param_groups[0]["lr"]))
    model, work, _ = trojaned
    inputs, wanted = work.inputs(), np.eye(10, dtype=np.float32)[work.labels]
    tuning = _tuning.Tuning(lr=0.3, epochs=3, batch=32, rounds=2, fading=fading)
    _tuning.fine_tune(model, lambda rng: (inputs, wanted), lambda twin: 0.0, tuning, Budget())
    assert seen == pytest.approx([rate for rate in rates for _ in range(2)])


def test_moved_pictures_keep_their_labels(trojaned: tuple[Model, Samples, Samples]) -> None:
    _, work, _ = trojaned
    few = work.take(np.arange(3))
    moved = few.moved()
    assert moved.images.shape == (27, *few.images.shape[1:])
    np.testing.assert_array_equal(moved.images[:3], few.images)
    assert moved.labels.tolist() == few.labels.tolist() * 9
    np.testing.assert_array_equal(moved.images[3:6, ..., :-1], few.images[..., 1:])


def test_each_picture_is_moved_in_a_way_of_its_own(trojaned: tuple[Model, Samples, Samples]) -> None:
    few = trojaned[1].take(np.arange(3))
    moved, every = few.each_moved(np.array([2, 0, 2]), np.array([1, 0, 8])), few.moved()
    np.testing.assert_array_equal(moved.images, every.images[[1 * 3 + 2, 0, 8 * 3 + 2]])
    assert moved.labels.tolist() == few.labels[[2, 0, 2]].tolist()
