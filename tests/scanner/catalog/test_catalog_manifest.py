"""Our own manifest: models with their pictures and options."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnxray.scanner.catalog import Catalog, Entry, inventory
from onnxray.scanner.errors import OnnxrayError, OptionError

TINY = b"\x08\x07\x3a\x00"


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Three models, pictures, and a folder of one's own."""
    for name in ("nets/a.onnx", "nets/b.onnx", "other/c.onnx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(TINY)
    for name in ("test.npz", "train.npz"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def toml(zoo: Path, text: str) -> Catalog:
    (zoo / "catalog.toml").write_text(text)
    return inventory([], manifest=zoo / "catalog.toml")


def table(zoo: Path, text: str) -> Catalog:
    (zoo / "catalog.csv").write_text(text)
    return inventory([str(zoo / "catalog.csv")])


def by_name(catalog: Catalog) -> dict[str, Entry]:
    return {entry.name: entry for entry in catalog.entries}


def test_toml_gives_models_their_pictures_and_options(zoo: Path) -> None:
    catalog = toml(zoo, """
        [defaults]
        data = "test.npz"
        samples = 50
        [[model]]
        model = "nets/*.onnx"
        [[model]]
        model = "nets/b.onnx"
        training_data = "train.npz"
        samples = 20
        range = [0, 255]
        mean = [123.7, 116.3, 103.5]
        bgr = true
        settings.neural-cleanse.steps = 5
        [[model]]
        model = "other"
        group = "others"
        """)  # fmt: skip
    assert catalog.unscanned == ()
    found = by_name(catalog)
    assert list(found) == ["nets/a.onnx", "nets/b.onnx", "other/c.onnx"]
    assert {entry.data for entry in catalog.entries} == {zoo / "test.npz"}
    assert found["nets/a.onnx"].options == {"samples": 50}
    assert found["nets/b.onnx"].training_data == zoo / "train.npz"
    assert found["nets/b.onnx"].options == {
        "samples": 20, "input_range": "0,255", "mean": [123.7, 116.3, 103.5], "bgr": True,
        "settings": {"neural-cleanse": {"steps": 5}},
    }  # fmt: skip
    assert found["other/c.onnx"].group == "others"
    assert found["other/c.onnx"].origin == {"manifest": str(zoo / "catalog.toml")}


def test_csv_says_the_same_with_texts(zoo: Path) -> None:
    lines = ["model,data,name,samples,mean,bgr,neural-cleanse.steps", 'nets/a.onnx,test.npz,mine,20,"0.1,0.2,0.3",yes,',
             "", "nets/b.onnx,,,,0.5,true,7"]  # fmt: skip
    catalog = table(zoo, "\n".join(lines).replace("yes", "false"))
    found = by_name(catalog)
    assert found["mine"].options == {"samples": 20, "mean": [0.1, 0.2, 0.3], "bgr": False}
    assert found["nets/b.onnx"].options["settings"] == {"neural-cleanse": {"steps": "7"}}
    assert found["nets/b.onnx"].data is None


def test_the_options_are_those_that_a_batch_reads(zoo: Path) -> None:
    from onnxray.scanner.batch.entry_options import options_of
    from onnxray.scanner.config import DEFAULTS

    lines = ["model,samples,mean,std,range,layout,scores,detectors,neural-cleanse.steps,max_seconds",
             'nets/a.onnx,20,"0.1,0.2,0.3",0.5,"0,1",NHWC,logits,neural-cleanse,7,60']  # fmt: skip
    (entry,) = table(zoo, "\n".join(lines)).entries
    options = options_of(entry, DEFAULTS)
    assert (options.samples, options.scores, options.max_seconds) == (20, "logits", 60)
    assert options.detectors == ("neural-cleanse",)
    assert (options.overrides.mean, options.overrides.std) == ((0.1, 0.2, 0.3), (0.5,))
    assert (options.overrides.input_range, options.overrides.layout) == ("0,1", "NHWC")
    assert options.settings["neural-cleanse"]["steps"] in (7, "7")


def test_one_file_under_two_names_is_two_entries_and_a_path_adds_none(zoo: Path) -> None:
    text = "model,name,data\nnets/a.onnx,first,test.npz\nnets/a.onnx,second,train.npz\n"
    (zoo / "catalog.csv").write_text(text)
    catalog = inventory([str(zoo / "nets" / "a.onnx"), str(zoo / "other")], manifest=zoo / "catalog.csv")
    assert [entry.name for entry in catalog.entries] == [f"{zoo}/other/c.onnx", "first", "second"]


def test_a_manifest_in_a_folder_is_not_followed_but_told(zoo: Path) -> None:
    (zoo / "catalog.toml").write_text('[[model]]\nmodel = "nets/a.onnx"\nname = "mine"')
    told: list[str] = []
    catalog = inventory([str(zoo)], told=told.append)
    assert len(catalog.entries) == 3
    assert "mine" not in by_name(catalog)
    assert [("catalog.toml" in line, "--manifest" in line) for line in told] == [(True, True)]


@pytest.mark.parametrize(
    ("entry", "code", "what"),
    [
        ("", "manifest", "missing required field `model`"),
        ('model = "nets/a.onnx"\nsampels = 3', "manifest", "there is no 'sampels'; did you mean \"samples\"?"),
        ('model = "nets/a.onnx"\nzzz = 3', "manifest", "there is no 'zzz'; there are model, data"),
        ('model = "nets/a.onnx"\nsamples = "many"', "manifest", "samples: Expected `int`, got `str`"),
        ('model = "nets/a.onnx"\nsamples = 1', "manifest", "samples: Expected `int` >= 2"),
        ('model = "nets/a.onnx"\nlayout = "CHWN"', "manifest", "expected a layout among NCHW"),
        ('model = "nets/a.onnx"\nstd = 0.0', "manifest", "std above 0"),
        ('model = "nets/a.onnx"\nrange = [1, 1]', "manifest", "two different numbers"),
        ('model = "nets/a.onnx"\ndetectors = ["neural-clean"]', "manifest", "no detector 'neural-clean'"),
        ('model = "nets/a.onnx"\ndata = "tset.npz"', "manifest", "no file or folder 'tset.npz' beside"),
        ('model = "nets/*.onnx"\nname = "one"', "manifest", "given to 2 models"),
        ('model = "nets/z.onnx"', "missing", "nets/z.onnx: there is no such file"),
        ('model = "nets/*.pt"', "missing", "matches nothing"),
    ],
)
def test_a_mistake_is_one_line_with_its_entry_and_the_rest_goes_on(zoo: Path, entry: str, code: str, what: str) -> None:
    catalog = toml(zoo, f'[[model]]\nmodel = "other/c.onnx"\n[[model]]\n{entry}\n')
    assert list(by_name(catalog)) == ["other/c.onnx"]
    (told,) = catalog.unscanned
    assert (told.code, told.name) == (code, f"{zoo / 'catalog.toml'}: entry 2")
    assert what in told.why
    assert told.why.isprintable()


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("catalog.toml", "[[model]\n", "not TOML: .*line 1"),
        ("catalog.toml", "", r"names no model; write \[\[model\]\]"),
        ("catalog.toml", "[[modle]]\nmodel='a'", "got 'modle'"),
        ("catalog.toml", "model = 3", "expected a table"),
        ("catalog.csv", "", "line 1: expected the columns' names"),
        ("catalog.csv", "path\nx\n", "line 1: expected the columns' names"),
        ("catalog.csv", "model,data\nx\n", "line 2: expected 2 cells, got 1"),
        ("catalog.csv", 'model,data\n"x,y\n', "line 2: not CSV"),
        ("catalog.csv", "model\n", "names no model; write lines"),
        ("none.csv", None, "cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_read_ends_it(zoo: Path, name: str, text: str | None, what: str) -> None:
    if text is not None:
        (zoo / name).write_text(text)
    with pytest.raises(OptionError, match=what) as raised:
        inventory([], manifest=zoo / name)
    assert "\n" not in str(raised.value)


def test_a_manifest_that_is_no_text(zoo: Path) -> None:
    (zoo / "catalog.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="not UTF-8"):
        inventory([], manifest=zoo / "catalog.toml")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=4), max_size=4), kind=st.booleans())
def test_whatever_a_manifest_says_it_is_one_line(zoo: Path, cells: list[list[str]], kind: bool) -> None:
    text = "\n".join(",".join(line) for line in [["model", "name", "mean", "samples"], *cells])
    if not kind:
        text = "\n".join(["[[model]]", *("=".join(line) for line in cells)])
    path = zoo / ("catalog.csv" if kind else "catalog.toml")
    path.write_bytes(text.encode(errors="replace"))
    error, catalog = "", Catalog()
    try:
        catalog = inventory([], manifest=path)
    except OnnxrayError as raised:
        error = str(raised)
    assert error.isprintable()
    assert all(item.name.isprintable() and item.why.isprintable() for item in catalog.unscanned)
    assert all(entry.name.isprintable() for entry in catalog.entries)
