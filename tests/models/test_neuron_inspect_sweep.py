"""The sweep over patches: what is varied, what a row says, and a run that picks up what is there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnxray.models import neuron_inspect_sweep, patch_sweep, patch_variants
from onnxray.models.bench.record import read_json
from onnxray.models.neuron_inspect_sweep import HEAD, SUMMARY, cells, main, ratio, summary
from onnxray.models.patch_sweep import METHODS, Row, Said
from onnxray.models.patch_variants import BASE, CLEAN, variants
from onnxray.models.zoo.attacks import make_attack
from onnxray.models.zoo.variants import REGIMES, Regime
from onnxray.scanner.cli.exit_codes import ExitCode
from onnxray.scanner.detectors.neural_cleanse import NeuralCleanse
from onnxray.scanner.errors import OptionError

TRIGGERS = 20


def said(place: int, flagged: tuple[int, ...] = (), index: float | None = 1.0, seconds: float = 1.0) -> Said:
    return Said(flagged=flagged, index=index, p=0.5, place=place, seconds=seconds)


def row(name: str, one: Said, two: Said, target: int | None = 3, took: bool = True) -> Row:
    success = None if target is None else 1.0 if took else 0.4
    both = dict(zip(METHODS, (one, two), strict=True))
    return Row(
        dataset="mnist", name=name, target=target, accuracy=0.98, success=success, took=took, said=both, options=""
    )


def test_each_variant_differs_in_one_thing() -> None:
    made = {v.name: v for v in variants("mnist")}
    assert len(made) == TRIGGERS + CLEAN
    base = make_attack("badnets", dict(made[BASE].recipe.attack.options))  # type: ignore[union-attr]
    plain = {"size": 4, "row": 1.0, "column": 1.0, "alpha": 1.0, "pattern": "solid", "target": 7}
    assert {key: getattr(base, key) for key in plain} == plain
    told = dict.fromkeys(patch_variants._DIFFERENT)
    for name in told:
        recipe = made[name].recipe
        assert recipe.attack is not None
        attack = make_attack(recipe.attack.name, dict(recipe.attack.options))
        different = {key for key, value in plain.items() if getattr(attack, key, value) != value}
        assert (different <= {"size", "alpha", "pattern"} and len(different) <= 1) or different <= {"row", "column"}
        assert bool(different) or name == BASE or attack.triggers > 1
        assert replace(recipe, attack=made[BASE].recipe.attack) == made[BASE].recipe
    assert [make_attack("several-triggers", {"count": n}).triggers for n in (2, 3)] == [2, 3]


def test_seeds_and_clean_networks_are_others() -> None:
    made = list(variants("gtsrb", seeds=2))
    assert len({v.recipe.identity for v in made}) == len({v.name for v in made}) == 2 * TRIGGERS + CLEAN
    assert {v.target for v in made if v.recipe.seed == 0} == {7}
    assert {v.target for v in made if v.recipe.seed == 1} == {0}
    clean = [v for v in made if v.target is None]
    assert len({v.recipe.seed for v in clean}) == len({v.recipe.data_seed for v in clean}) == CLEAN
    assert not {v.recipe.seed for v in clean} & {0, 1}


def test_a_faint_patch_lets_the_picture_through() -> None:
    x = np.full((1, 8, 8, 1), 100, np.uint8)
    (stamped,) = make_attack("badnets", {"size": 2, "alpha": 0.2}).stamp(x)
    assert (stamped[6:, 6:] == 131).all()  # 0.8 * 100 + 0.2 * 255
    assert (stamped != 100).sum() == 4
    with pytest.raises(OptionError, match=r"alpha in 0\.\.1, got 2"):
        make_attack("badnets", {"alpha": 2.0}).stamp(x)


def test_a_row_tells_the_target_from_other_classes() -> None:
    found = cells(row("alpha 0.4", said(1, (3,), 4.0), said(2, (5, 3), None, 40.0)))
    assert found[1:4] == ["alpha 0.4", "98.0", "100.0"]
    assert found[4:8] == ["target", "4.0", "0.500", "1"]
    assert found[8:] == ["5, target", "-", "0.500", "2", "40"]
    assert cells(row("alpha 0.1", said(1), said(1), took=False))[1] == "alpha 0.1 (did not take)"
    assert cells(row("clean 1", said(0), said(0), None))[3] == "-"
    assert len(found) == len(HEAD)


def test_the_summary_leaves_out_what_did_not_take() -> None:
    rows = [
        row("a", said(1, (3,), 4.0, 1.0), said(1, (3,), 2.5, 10.0)),
        row("b", said(1, (), 1.5, 1.0), said(4, (5,), 9.0, 30.0)),
        row("c", said(2, (), 1.5, 2.0), said(4, (), 1.0, 40.0), took=False),
        row("clean", said(0, (2,), 3.0, 1.0), said(0, (), 1.0, 30.0), None),
    ]
    one, two = summary(rows)
    # trojaned, target first, flagged, first with an index above 2; clean, flagged, index above 2; seconds
    assert one[2:] == ["2", "2", "1", "1", "1", "1", "1", "1.00"]
    assert two[2:] == ["2", "1", "1", "1", "1", "0", "0", "30.00"]
    assert len(one) == len(SUMMARY)
    assert ratio(rows) == 25.0


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eighty pictures of ten bright bars, an epoch of them, and a search of one step."""
    y = np.arange(80) % 10
    x = np.zeros((80, 16, 16), np.uint8)
    x[np.arange(80), y + 2] = 200
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    monkeypatch.setitem(REGIMES, "mnist", Regime(examples=80, epochs=1))
    monkeypatch.setitem(patch_sweep.METHODS, "neural-cleanse", NeuralCleanse(steps=1))
    return tmp_path


def run(data: Path, *more: str) -> Result:
    arguments = ["--data", str(data), "-o", str(data / "out"), "--set", "mnist", *more]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_a_network_is_trained_examined_and_not_made_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(data, "--only", "3 x 3", "--pictures", "20", "--markdown")
    assert first.exit_code == 0, first.output
    assert "| mnist | 3 x 3 (did not take) |" in first.stdout
    assert "neural-cleanse takes" in first.stdout
    (record,) = (data / "out" / "records").glob("*.json")
    found = read_json(record, Row)
    assert (found.target, found.took, set(found.said)) == (7, False, set(METHODS))
    assert all(s.seconds > 0 and 1 <= s.place <= 10 for s in found.said.values())
    monkeypatch.setattr(patch_sweep, "_examined", lambda *_: pytest.fail("examined again"))
    assert run(data, "--only", "3 x 3", "--pictures", "20", "--markdown").stdout == first.stdout
    assert run(data, "--table", "--pictures", "20", "--markdown").stdout == first.stdout
    assert run(data, "--table", "--pictures", "30").stdout == ""  # the record is of another number


def test_what_cannot_be_done_is_one_line(data: Path) -> None:
    nothing = run(data, "--only", "purple")
    assert nothing.exit_code == ExitCode.USAGE
    assert "nothing fits it" in nothing.output
    (data / "mnist.npz").unlink()
    missing = run(data, "--only", "clean 1")
    assert missing.exit_code == ExitCode.ERROR
    assert "mnist.npz: expected an .npz" in missing.output


def test_a_network_that_another_run_makes_is_left_to_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neuron_inspect_sweep, "examine", lambda task: None)
    assert "another run is at it" in run(data, "--only", "clean 1").output
