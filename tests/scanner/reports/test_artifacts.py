"""The pictures and arrays beside a report."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnxray.scanner.findings import Evidence, Rate, Report
from onnxray.scanner.reports import write_artifacts
from onnxray.scanner.reports._pictures import mask_picture, stamped_picture, trigger_picture
from onnxray.scanner.reports._terminal_picture import terminal_picture
from onnxray.scanner.reports._triggers import lowest_success, shown_triggers
from onnxray.scanner.reports.text import Text
from onnxray.scanner.trigger_files import load_triggers
from onnxray.scanner.triggers import Trigger
from PIL import Image
from rich.style import Style

FILES = {"trigger-class7.png", "mask-class7.png", "stamped-class7.png", "arrays-class7.npz", "report.json"}


def spot(size: int, row: int, column: int, channels: int = 3) -> Trigger:
    """A trigger of one red pixel (white, where grey)."""
    mask, pattern = np.zeros((size, size), np.float32), np.zeros((channels, size, size), np.float32)
    mask[row, column], pattern[0, row, column] = 1, 1
    return Trigger(0, mask, pattern)


def test_files_of_an_accused_class(backdoored: Report, tmp_path: Path) -> None:
    artifacts = write_artifacts(backdoored, tmp_path / "new" / "folder")
    assert artifacts.folder == tmp_path / "new" / "folder"
    assert {p.name for p in artifacts.folder.iterdir()} == FILES
    written = json.loads((artifacts.folder / "report.json").read_text())
    paths = written["evidence"][0]["artifacts"]
    assert {*paths.values(), "report.json"} == FILES
    for path in paths.values():
        assert (artifacts.folder / path).stat().st_size
        assert not os.path.isabs(path)


def test_pictures_decode_and_arrays_are_the_trigger(backdoored: Report, tmp_path: Path) -> None:
    write_artifacts(backdoored, tmp_path)
    with Image.open(tmp_path / "trigger-class7.png") as picture:
        assert picture.size == (224, 224)
        assert picture.getpixel((0, 0)) == (128, 128, 128)
        assert picture.getpixel((223, 223)) == (13, 13, 13)  # 0.9 of black over grey
    with np.load(tmp_path / "arrays-class7.npz") as arrays:
        trigger = shown_triggers(backdoored)[7][1]
        np.testing.assert_array_equal(arrays["mask"], trigger.mask)
        np.testing.assert_array_equal(arrays["pattern"], trigger.pattern)


def test_the_strongest_trigger_is_shown(backdoored: Report) -> None:
    assert shown_triggers(backdoored) == {7: ("neural-cleanse", backdoored.evidence[0].triggers[0])}


def test_of_several_triggers_each_has_files_that_a_repair_reads(backdoored: Report, tmp_path: Path) -> None:
    parts = [replace(spot(28, 0, column, channels=1), target=7) for column in (0, 20, 27)]
    assert backdoored.evaluation is not None
    rates = tuple(zip(parts, (Rate(9, 10), Rate(1, 10), Rate(10, 10)), strict=True))
    evaluation = replace(backdoored.evaluation, attack_success=backdoored.evaluation.attack_success + rates)
    several = replace(
        backdoored, evidence=(replace(backdoored.evidence[0], further=tuple(parts)),), evaluation=evaluation
    )
    artifacts = write_artifacts(several, tmp_path)
    assert {"trigger-class7-place1.png", "arrays-class7-place2.npz"} <= {p.name for p in tmp_path.iterdir()}
    assert not (tmp_path / "arrays-class7-place3.npz").exists()  # the second of them does not work on unseen pictures
    read = load_triggers(tmp_path)
    assert [t.target for t in read] == [7, 7, 7]
    assert {27, 0} < {int(t.mask.argmax()) for t in read}
    assert lowest_success(several) == lowest_success(backdoored)
    shown = Text(width=120, colors="none").render(several, artifacts)
    assert "2 triggers, each of which works by itself" in shown


def test_nothing_is_drawn_where_nobody_is_accused(clean: Report, tmp_path: Path) -> None:
    artifacts = write_artifacts(clean, tmp_path)
    assert artifacts.files == {}
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_without_examples_there_is_no_strip(backdoored: Report, tmp_path: Path) -> None:
    artifacts = write_artifacts(replace(backdoored, examples=None), tmp_path)
    assert set(artifacts.files["neural-cleanse"]) == {"trigger-class7", "mask-class7", "arrays-class7"}


def test_files_are_replaced_whole_and_leave_no_rest(
    backdoored: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.json").write_text("before")

    def full_disk(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_artifacts(backdoored, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "before"


def test_same_report_same_bytes(backdoored: Report, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        folder = write_artifacts(backdoored, tmp_path / name).folder or tmp_path
        contents.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert contents[0] == contents[1]


def test_colours_and_enlargement_are_exact() -> None:
    picture = trigger_picture(spot(32, 3, 5))
    assert picture.shape == (224, 224, 3)
    assert (picture[3 * 7 : 4 * 7, 5 * 7 : 6 * 7] == (255, 0, 0)).all()
    assert (picture == (128, 128, 128)).all(axis=2).sum() == 224 * 224 - 49
    assert mask_picture(spot(300, 0, 0)).shape == (300, 300, 3)


def test_strip_shows_before_above_after() -> None:
    images = np.zeros((2, 3, 112, 112), np.float32)
    strip = stamped_picture(spot(112, 0, 0), images)
    assert strip.shape == (112 * 2 + 4, 112 * 2 + 4, 3)
    assert not strip[:112, :112].any()
    assert tuple(strip[116, 0]) == tuple(strip[116, 116]) == (255, 0, 0)


@pytest.mark.parametrize("size", [1, 5, 28, 32, 224])
def test_a_single_pixel_survives_in_the_terminal(size: int) -> None:
    picture = terminal_picture(spot(size, size - 1, size // 2))
    lines = picture.plain.split("\n")
    assert len(lines) == (min(size, 28) + 1) // 2
    assert {len(line) for line in lines} == {min(size, 28)}
    styles = [span.style for span in picture.spans if isinstance(span.style, Style)]
    assert "#ff0000" in {color.name for style in styles for color in (style.color, style.bgcolor) if color}


def test_maps_are_written_and_named(clean: Report, tmp_path: Path) -> None:
    heat = np.linspace(0.2, 0.6, 784, dtype=np.float32).reshape(28, 28)
    named = Evidence("neuron-inspect", (0.0,) * 43, "heatmaps", maps={"heatmap-class5": heat})
    artifacts = write_artifacts(replace(clean, evidence=(*clean.evidence, named)), tmp_path)
    assert artifacts.files == {"neuron-inspect": {"heatmap-class5": "neuron-inspect-heatmap-class5.png"}}
    with Image.open(tmp_path / "neuron-inspect-heatmap-class5.png") as picture:
        assert [picture.getpixel(at) for at in ((0, 0), (223, 223))] == [(0, 0, 0), (255, 255, 255)]


def test_a_map_is_also_shown_over_samples(clean: Report, tmp_path: Path) -> None:
    heat = np.zeros((28, 28), np.float32)
    heat[0, 0] = 7
    named = Evidence("neuron-inspect", (0.0,) * 43, "heatmaps", maps={"heatmap-class5": heat})
    examples = np.full((4, 1, 28, 28), 0.4, np.float32)
    artifacts = write_artifacts(replace(clean, evidence=(named,), examples=examples), tmp_path)
    with Image.open(tmp_path / artifacts.files["neuron-inspect"]["heatmap-class5-over-samples"]) as picture:
        assert picture.size == (4 * 112 + 3 * 4, 2 * 112 + 4)
        assert {picture.getpixel((x, 0)) for x in (0, 116, 232, 348)} == {(102, 102, 102)}
        assert picture.getpixel((0, 116)) == (217, 217, 217)  # a quarter of it under white
        assert picture.getpixel((111, 227)) == (102, 102, 102)


def test_a_map_of_another_size_is_not_laid_over_samples(clean: Report, tmp_path: Path) -> None:
    named = Evidence("neuron-inspect", (0.0,) * 43, "heatmaps", maps={"heatmap-class5": np.eye(14, dtype=np.float32)})
    examples = np.zeros((2, 1, 28, 28), np.float32)
    artifacts = write_artifacts(replace(clean, evidence=(named,), examples=examples), tmp_path)
    assert set(artifacts.files["neuron-inspect"]) == {"heatmap-class5"}
