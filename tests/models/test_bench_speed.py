import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from onnxray.models.speed.peer_search import Loop
from onnxray.models.speed.question import Question
from onnxray.models.speed.report import Report
from onnxray.models.speed.search import measure
from onnxray.scanner.cli.commands import main
from onnxray.scanner.trigger_search import SearchSettings
from onnxray.scanner.victims import Victims
from torch import Tensor

QUICK = "--rounds 1 --search-rounds 1 --peer-classes 1 --batch 2 --pictures 40 --device cpu"


def corners(classes: int, pictures: int = 24) -> Question:
    """A network that sees class k where pixel k is bright; all pictures are of class 0."""

    def network(x: Tensor) -> Tensor:
        return 20 * x.flatten(1)[:, :classes]

    images = torch.rand(pictures, 1, 5, 5, generator=torch.Generator().manual_seed(0)) / 4
    images.flatten(1)[:, 0] = 0.6
    return Question(network, Victims(images, network(images).argmax(1)), classes, "corners")


def test_the_command_measures_everything_and_its_json_says_so(tmp_path: Path) -> None:
    output = tmp_path / "speed.json"
    threads = torch.get_num_threads()
    done = CliRunner().invoke(
        main, ["bench", "speed", *QUICK.split(), "--steps", "60", "--epochs", "2", "-o", str(output)]
    )
    assert done.exit_code == 0, done.output
    assert torch.get_num_threads() == threads
    report = msgspec.json.decode(output.read_bytes(), type=Report)
    assert report.format == "onnxray/bench-speed/1"
    assert report.machine.threads == 1
    assert report.machine.torch == torch.__version__
    assert done.output.count(report.machine.name.split()[0]) >= 3  # under each table
    assert len(report.norms) == 6
    assert len(report.stamp) == 4
    assert all(row.kept < row.kept_plain for row in report.stamp if row.shape[1] >= 224)
    assert report.search is not None
    assert report.search.model == "trojaned.onnx"
    assert (report.search.classes, report.search.loop_classes, report.search.pictures) == (10, 1, 40)
    assert report.search.loop.forward == report.search.loop.backward == 2 * 40
    assert report.search.ours.backward <= 60 * 16
    assert report.search.ours.forward > report.search.ours.backward


def test_only_what_was_asked_for_is_measured(tmp_path: Path) -> None:
    output = tmp_path / "speed.json"
    done = CliRunner().invoke(main, ["bench", "speed", "--part", "stamp", *QUICK.split(), "-o", str(output)])
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    assert found["stamp"]
    assert (found["norms"], found["search"]) == ([], None)
    assert "Trigger search" not in done.output
    assert "Triggers put on pictures" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", str(Path(__file__))], "--model and --data go together"),
        (["-o", "no-such-folder/speed.json"], "there is no folder no-such-folder"),
        (["--part", "speed"], "'speed' is not one of"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["bench", "speed", *arguments])
    assert done.exit_code == 4
    assert said in done.output


def test_a_gpu_that_is_not_there_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = CliRunner().invoke(main, ["bench", "speed", "--device", "cuda"])
    assert done.exit_code == 4
    assert "no CUDA device" in done.output


def test_costs_are_told_for_each_class_however_few_the_loop_searched() -> None:
    row = measure(corners(6), rounds=1, loop_classes=2, settings=SearchSettings(steps=40), loop=Loop(epochs=3))
    assert row.speedup.median == pytest.approx(row.loop.seconds_per_class / row.ours.seconds_per_class)
    assert (row.loop.forward, row.loop.backward) == (3 * 24, 3 * 24)
    assert row.loop.flagged is None
    assert row.ours.flagged is not None
    assert row.many_over_few is None


def test_both_searches_find_the_pixel_and_are_held_to_the_same_pictures() -> None:
    row = measure(corners(4), rounds=1, loop_classes=4)
    assert row.ours.l1.keys() == row.loop.l1.keys() == {0, 1, 2, 3}
    for side in (row.ours, row.loop):  # class 0 has no pictures to turn: they are all of it
        assert all(side.l1[c] < 2 and side.success[c] >= 0.99 for c in (1, 2, 3))
    assert row.ours.success.keys() == row.ours.l1.keys()
    assert row.l1_ratio == pytest.approx(np.median([row.ours.l1[c] / row.loop.l1[c] for c in range(4)]))


def test_many_classes_are_compared_with_ten_of_them() -> None:
    row = measure(corners(20), rounds=1, loop_classes=1, settings=SearchSettings(steps=20), loop=Loop(epochs=1))
    assert row.many_over_few is not None
    assert row.many_over_few.median > 0
