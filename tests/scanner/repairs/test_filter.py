"""The filter on the bundled model: the answers stay, stamped pictures are flagged, clean ones are not."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from onnxray.converters import Model, open_model
from onnxray.converters.edited import run_graph
from onnxray.converters.graphs import copied
from onnxray.converters.last_hidden import find_last_hidden
from onnxray.converters.runtime import raw_outputs
from onnxray.models.bundled_files import bundled
from onnxray.scanner.cli.commands import main
from onnxray.scanner.domain_search import find_domain
from onnxray.scanner.errors import OptionError, RepairError
from onnxray.scanner.findings import Label, Verdict
from onnxray.scanner.images import load_images
from onnxray.scanner.repair import repair
from onnxray.scanner.repair_bench import Bench
from onnxray.scanner.repair_report import RepairOptions
from onnxray.scanner.repairs import Budget
from onnxray.scanner.repairs._flagging import Profile, flagged
from onnxray.scanner.repairs.filter import Filter
from onnxray.scanner.samples import Samples
from onnxray.scanner.triggers import Trigger

MODEL, DATA = bundled("trojaned.onnx"), bundled("samples.npz")
CHANGE = Filter(rank_by="change")


def true_trigger() -> Trigger:
    mask = np.zeros((28, 28), np.float32)
    mask[24:27, 24:27] = 1
    return Trigger(7, mask, mask[None])


@cache
def opened() -> tuple[Model, Samples, Samples]:
    model = open_model(MODEL)
    _, samples = find_domain(model, load_images(DATA))
    return model, *samples.halves(0)


@cache
def filtered(method: Filter) -> onnx.ModelProto:
    model, work, _ = opened()
    proto = method.run(model, work, [true_trigger()], Budget()).proto
    assert proto is not None
    return proto


def flags(proto: onnx.ModelProto, samples: Samples, trigger: Trigger | None = None) -> NDArray[np.bool_]:
    images = samples.images if trigger is None else trigger.stamp(samples.images)
    inputs = np.ascontiguousarray(samples.domain.to_input(images), np.float32)
    flagged_ones: NDArray[np.bool_] = np.asarray(
        raw_outputs(proto.SerializeToString(), inputs, ["trojaned"])["trojaned"]
    )
    return flagged_ones


def test_no_answer_changes() -> None:
    model, _, judge = opened()
    proto = filtered(CHANGE)
    onnx.checker.check_model(proto)
    for inputs in (judge.inputs(), judge.domain.to_input(true_trigger().stamp(judge.images))):
        np.testing.assert_array_equal(run_graph(model, proto).run(inputs), model.run(inputs))
    kept = proto.graph.node[: len(model.graph.graph.node)]
    assert list(kept) == list(model.graph.graph.node)
    assert [o.name for o in proto.graph.output][1:] == ["trojaned_score", "trojaned"]


def test_stamped_pictures_are_flagged_and_few_clean_ones() -> None:
    _, _, judge = opened()
    assert flags(filtered(CHANGE), judge.outside([7]), true_trigger()).mean() > 0.8
    assert flags(filtered(CHANGE), judge).mean() < 0.15


def test_two_triggers_are_one_score() -> None:
    model, work, judge = opened()
    other = replace(true_trigger(), mask=true_trigger().mask[::-1].copy(), target=3)
    proto = CHANGE.run(model, work, [other, true_trigger()], Budget()).proto
    assert proto is not None
    assert flags(proto, judge).shape == (len(judge),)
    assert flags(proto, judge).mean() < 0.15


@pytest.mark.parametrize("version", [13, 18])
def test_the_reduction_fits_the_operator_set(version: int) -> None:
    model, _, judge = opened()
    proto = copied(model.graph)
    proto.opset_import[0].version = version
    hidden = find_last_hidden(proto, "probabilities", "a file")
    file: Any = SimpleNamespace(graph=proto, path="a file", facts=model.facts)
    changed = flagged(file, hidden, Profile(np.zeros((768, 2), np.float32), np.asarray([-1, 1], np.float32), 0.5))
    onnx.checker.check_model(changed, full_check=True)
    assert flags(changed, judge.take(np.arange(3))).tolist() == [True] * 3


def test_too_few_samples_are_told() -> None:
    model, work, _ = opened()
    with pytest.raises(RepairError, match="needs 40 clean samples"):
        CHANGE.run(model, work.take(np.arange(39)), [true_trigger()], Budget())


def test_without_a_trigger_there_is_no_filter() -> None:
    model, work, _ = opened()
    with pytest.raises(RepairError, match="needs a trigger"):
        CHANGE.run(model, work, [], Budget())


def test_repair_points_to_the_command(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="use onnxray filter"):
        repair(MODEL, DATA, tmp_path / "o.onnx", RepairOptions(method="filter"))


def test_the_command_writes_and_measures(tmp_path: Path) -> None:
    t, out = tmp_path / "t.npz", tmp_path / "out.onnx"
    np.savez(t, mask=true_trigger().mask, pattern=true_trigger().pattern, target=7)
    arguments = ["filter", str(MODEL), "--data", str(DATA), "--trigger", str(t), "--measure", str(t), "-o", str(out)]
    result = CliRunner().invoke(main, [*arguments, "--set", "filter.rank_by=change", "-q"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("stamped for 7, missed") == 2
    told = json.loads(out.with_suffix(".json").read_text())
    assert told["schema"] == "onnxray/filter/1"
    assert told["missed"][0]["rate"] < 0.2
    assert told["false_positives"]["rate"] < 0.15
    again = CliRunner().invoke(
        main, ["filter", str(out), "--data", str(DATA), "--trigger", str(t), "-o", str(tmp_path / "o.onnx"),
               "--scores", "probabilities", "-q"]
    )  # fmt: skip
    assert again.exit_code == 2
    assert "filter the original" in again.output


def test_the_command_needs_a_trigger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bench, "scan", lambda self, model, seed: (Verdict(Label.CLEAN, 0.0), []))
    out = tmp_path / "out.onnx"
    result = CliRunner().invoke(main, ["filter", str(MODEL), "--data", str(DATA), "-o", str(out), "-q"])
    assert result.exit_code == 2
    assert "found no trigger" in result.output
    assert not out.exists()
