"""Every source of pictures, good and bad: what is read, which are drawn, and one clear line where it cannot be."""

import io
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxray.scanner.errors import OnnxrayError, OptionError, SamplesError
from onnxray.scanner.images import load_images
from onnxray.scanner.samples import stratified
from PIL import Image

GREY = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "set.npz", **arrays)
    return folder / "set.npz"


def picture(path: Path, shade: int = 0, mode: str = "L", size: tuple[int, int] = (4, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, shade, shade)).convert(mode).save(path)
    return path


def folder_of(root: Path, *classes: str) -> Path:
    for i, name in enumerate(classes):
        for n in range(3):
            picture(root / name / f"{n}.png", shade=10 * i + n)
    return root


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 9))
def test_stratified_draws_are_even_and_repeatable(labels: list[int], limit: int, seed: int) -> None:
    array = np.array(labels)
    chosen = stratified(array, limit, seed)
    assert np.array_equal(chosen, stratified(array, limit, seed))
    assert len(set(chosen)) == len(chosen) == min(limit, len(labels))
    drawn, there = Counter(array[chosen].tolist()), Counter(labels)
    most = max(drawn.values())
    assert all(drawn[c] >= min(there[c], most - 1) for c in there)


@pytest.mark.parametrize("keys", [("x", "y"), ("x_test", "y_test"), ("images", "labels")])
def test_npz(tmp_path: Path, keys: tuple[str, str]) -> None:
    path = npz(tmp_path, **{keys[0]: GREY, keys[1]: LABELS, "class_names": ["a", "b", "c"], "other": [1]})
    found = load_images(path)
    assert np.array_equal(found.images, GREY)
    assert found.labels.dtype == np.int64
    assert (found.labels.tolist(), found.class_names, found.source) == (LABELS.tolist(), ("a", "b", "c"), str(path))


@pytest.mark.parametrize(
    ("x", "shape", "top"),
    [
        (np.full((6, 4, 5, 3), 200, np.uint8), (4, 5, 3), 200),
        (np.full((6, 3, 4, 5), 200, np.uint8), (4, 5, 3), 200),
        (np.full((6, 4, 5, 1), 200, np.uint8), (4, 5), 200),
        (np.full((6, 1, 4, 5), 200, np.int64), (4, 5), 200),
        (np.full((6, 4, 5, 4), 200, np.uint8), (4, 5, 3), 200),
        (np.full((6, 4, 5), 0.5), (4, 5), np.float32(0.5)),
        (np.full((6, 4, 5), 51.0), (4, 5), np.float32(0.2)),
        (np.full((6, 4, 5), 65535, np.uint16), (4, 5), np.float32(1)),
        (np.full((6, 4, 5), 1, np.uint8), (4, 5), np.float32(1)),
        (np.full((6, 4, 5), True), (4, 5), np.float32(1)),
    ],
)
def test_npz_pixels(tmp_path: Path, x: np.ndarray[Any, Any], shape: tuple[int, ...], top: float) -> None:
    image = load_images(npz(tmp_path, x=x, y=LABELS[:, None])).images[0]
    assert image.shape == shape
    assert image.max() == image.min() == top
    assert image.dtype == (np.uint8 if top == 200 else np.float32)


def test_limit_is_balanced_and_not_the_first(tmp_path: Path) -> None:
    y = np.repeat([0, 1], [900, 100])
    path = npz(tmp_path, x=np.arange(1000, dtype=np.uint16)[:, None, None], y=y)
    found = load_images(path, limit=50, seed=3)
    assert np.bincount(found.labels).tolist() == [25, 25]
    assert np.array_equal(found.images, load_images(path, limit=50, seed=3).images)
    assert not np.array_equal(found.images, load_images(path, limit=50, seed=4).images)


def test_folder(tmp_path: Path) -> None:
    folder_of(tmp_path, "dog", "cat")
    picture(tmp_path / "cat" / "deep" / "x.JPG")
    picture(tmp_path / "cat" / ".hidden.png")
    picture(tmp_path / ".git" / "x.png")
    picture(tmp_path / "__MACOSX" / "x.png")
    (tmp_path / "dog" / "notes.txt").write_text("not a picture")
    found = load_images(tmp_path)
    assert (found.class_names, found.by_name) == (("cat", "dog"), True)
    assert np.bincount(found.labels).tolist() == [4, 3]
    assert [int(image[0, 0]) for image in found.images if image.max()] == [10, 11, 12, 1, 2]


def test_folder_of_numbers(tmp_path: Path) -> None:
    found = load_images(folder_of(tmp_path, "00010", "2", "7"))
    assert (np.unique(found.labels).tolist(), found.class_names, found.by_name) == ([2, 7, 10], (), False)


def test_limit_reads_only_the_chosen(tmp_path: Path) -> None:
    folder_of(tmp_path, "a", "b")
    for path in sorted(tmp_path.rglob("*.png"))[:5]:
        path.write_bytes(b"broken")
    with pytest.raises(SamplesError, match="cannot be decoded"):
        load_images(tmp_path)
    for path in sorted(tmp_path.rglob("*.png")):
        picture(path)
    assert len(load_images(tmp_path, limit=2)) == 2


@pytest.mark.parametrize(
    ("mode", "ending", "shape"),
    [
        ("L", "png", (3, 4)), ("1", "png", (3, 4)), ("L", "bmp", (3, 4)), ("L", "tif", (3, 4)),
        ("L", "webp", (3, 4, 3)),
        ("RGB", "png", (3, 4, 3)), ("RGBA", "png", (3, 4, 3)), ("LA", "png", (3, 4, 3)), ("P", "png", (3, 4, 3)),
        ("P", "gif", (3, 4, 3)), ("CMYK", "jpg", (3, 4, 3)), ("RGB", "ppm", (3, 4, 3)), ("I;16", "png", (3, 4)),
    ],
)  # fmt: skip
def test_modes_and_formats(tmp_path: Path, mode: str, ending: str, shape: tuple[int, ...]) -> None:
    for name in "ab":
        path = tmp_path / name / f"x.{ending}"
        path.parent.mkdir()
        if mode == "I;16":
            Image.fromarray(np.full((3, 4), 65535, np.uint16)).save(path)
        else:
            Image.new("RGB", (4, 3), (255, 255, 255)).convert(mode).save(path)
    image = load_images(tmp_path).images[0]
    assert image.shape == shape
    white = 1.0 if image.dtype == np.float32 else 255
    assert image.min() == white


def test_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90 degrees
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 4)).save(tmp_path / name / "x.jpg", exif=exif)
    assert load_images(tmp_path).images[0].shape == (8, 4, 3)


@pytest.mark.parametrize(
    ("header", "labels", "expected", "names"),
    [
        ("path,label", "031", [0, 3, 1], ()),
        ("Label;FileName", "ABA", [0, 1, 0], ("A", "B")),
        ("y;file;extra", "727", [7, 2, 7], ()),
    ],
)
def test_csv(tmp_path: Path, header: str, labels: str, expected: list[int], names: tuple[str, ...]) -> None:
    columns = header.replace(";", ",").split(",")
    rows = [",".join(columns)]
    for n, label in enumerate(labels):
        picture(tmp_path / "pictures" / f"{n}, x.png", shade=n)
        fields = {"label": label, "y": label, "extra": "z"}
        rows.append(",".join(fields.get(c.lower(), f'"pictures/{n}, x.png"') for c in columns))
    (tmp_path / "set.csv").write_text("\ufeff" + "\n".join(rows) + "\n\n")
    found = load_images(tmp_path / "set.csv")
    assert (found.labels.tolist(), found.class_names, found.by_name) == (expected, names, bool(names))
    assert [int(image[0, 0]) for image in found.images] == [0, 1, 2]


def parquet(path: Path, columns: dict[str, Any], names: list[str] | None = None) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    table = pyarrow.table(columns)
    if names:
        features = f'{{"info": {{"features": {{"label": {{"names": {names!r}}}}}}}}}'.replace("'", '"')
        table = table.replace_schema_metadata({"huggingface": features})
    files.write_table(table, path, row_group_size=300)
    return path


def png(shade: int, side: int = 4) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side), shade).save(buffer, "PNG")
    return buffer.getvalue()


def test_parquet_of_bytes(tmp_path: Path) -> None:
    cells = [{"bytes": png(n % 256), "path": None} for n in range(1000)]
    path = parquet(tmp_path / "set.parquet", {"image": cells, "label": [n % 2 for n in range(1000)]}, ["cat", "dog"])
    found = load_images(path, limit=40, seed=1)
    assert (found.class_names, np.bincount(found.labels).tolist()) == (("cat", "dog"), [20, 20])
    assert all(image[0, 0] % 2 == label for image, label in zip(found.images, found.labels, strict=True))
    assert len({int(image[0, 0]) for image in found.images}) > 30


def test_parquet_of_paths(tmp_path: Path) -> None:
    files = [str(picture(tmp_path / f"{n}.png", shade=n).name) for n in range(3)]
    found = load_images(parquet(tmp_path / "set.parquet", {"Path": files, "Class": ["b", "a", "b"]}))
    assert (found.labels.tolist(), found.class_names) == ([1, 0, 1], ("a", "b"))
    assert int(found.images[2][0, 0]) == 2


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "set.parquet").write_bytes(b"PAR1")
    with pytest.raises(OptionError, match=r"pip install 'onnxray\[parquet\]'"):
        load_images(tmp_path / "set.parquet")


def _cut_off(folder: Path) -> Path:
    path = npz(folder, x=GREY, y=LABELS)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def _damaged(folder: Path) -> Path:
    path = folder / "set.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).integers(0, 255, (6, 40, 40), np.uint8), y=LABELS)
    content = bytearray(path.read_bytes())
    content[300:400] = bytes(100)
    path.write_bytes(content)
    return path


def _huge(folder: Path) -> Path:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (1 << 40, 1 << 10), "fortran_order": False, "descr": "|u1"})
    path = npz(folder, y=LABELS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", header.getvalue())
    return path


def _broken_column(folder: Path) -> Path:
    """A table whose first column's pages are overwritten, while its schema and its labels are whole."""
    cells = [{"bytes": bytes(range(256)) * 20, "path": None} for _ in range(4)]
    path = parquet(folder / "s.parquet", {"image": cells, "label": [0, 1, 0, 1]})
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    return path


def _text(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def _broken_image(folder: Path, content: bytes) -> Path:
    folder_of(folder, "a", "b")
    (folder / "b" / "1.png").write_bytes(content)
    return folder


def _bomb(folder: Path) -> Path:
    folder_of(folder, "a", "b")
    Image.new("1", (20000, 20000)).save(folder / "b" / "1.png")
    return folder


def _only(folder: Path) -> Path:
    (folder / "a").mkdir()
    return folder


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no file": (lambda f: f / "absent.npz", r"absent\.npz: no such file or folder; give an \.npz"),
    "other type": (lambda f: _text(f, "set.txt", ""), r"set\.txt: expected an \.npz, a folder of images"),
    "text as npz": (lambda f: _text(f, "set.npz", "hello"), r"set\.npz: not an \.npz"),
    "empty npz": (lambda f: _text(f, "set.npz", ""), r"set\.npz: not an \.npz, or cut off"),
    "cut off": (_cut_off, r"set\.npz: not an \.npz, or cut off"),
    "damaged": (_damaged, r"set\.npz: not a readable \.npz"),
    "huge": (_huge, r"set\.npz: (its arrays do not fit into memory|not a readable)"),
    "keys": (lambda f: npz(f, a=GREY, y=LABELS), r"set\.npz: expected the arrays x and y, got \['a', 'y'\]"),
    "pickled": (lambda f: npz(f, x=np.array([{}] * 6), y=LABELS), r"set\.npz: holds pickled objects"),
    "lengths": (lambda f: npz(f, x=GREY, y=LABELS[:5]), r"got 6 pictures and 5 labels"),
    "float labels": (lambda f: npz(f, x=GREY, y=LABELS * 0.5), r"set\.npz: y: expected integer labels, got float64"),
    "one-hot labels": (lambda f: npz(f, x=GREY, y=np.eye(3)[LABELS]), r"got \(6, 3\); for one-hot rows save y\.argmax"),
    "negative": (lambda f: npz(f, x=GREY, y=LABELS - 1), r"set\.npz: expected labels from 0 on, got -1"),
    "one class": (lambda f: npz(f, x=GREY, y=LABELS * 0), r"at least two classes, got only class 0"),
    "no samples": (lambda f: npz(f, x=GREY[:0], y=LABELS[:0]), r"set\.npz: holds no samples"),
    "NaN": (lambda f: npz(f, x=np.where(GREY == 7, np.nan, 0), y=LABELS), r"set\.npz: x: has NaN or infinite pixels"),
    "normalised": (lambda f: npz(f, x=GREY / 40 - 1, y=LABELS), r"\[0, 255\], got -1\.\.1\.975; undo the normalis"),
    "wrong rank": (lambda f: npz(f, x=GREY[0], y=LABELS[:4]), r"set\.npz: x: expected \(N, H, W\).* got \(4, 5\)"),
    "two channels": (lambda f: npz(f, x=np.zeros((6, 5, 5, 2)), y=LABELS), r"with C 1 or 3, got \(6, 5, 5, 2\)"),
    "texts": (lambda f: npz(f, x=GREY.astype(str), y=LABELS), r"set\.npz: x: expected numbers"),
    "no sub-folders": (lambda f: picture(f / "x.png").parent, r"expected one sub-folder of images per class"),
    "no images": (_only, r"no images in its 1 class folders"),
    "one folder": (lambda f: folder_of(f, "only"), r"at least two classes"),
    "not an image": (lambda f: _broken_image(f, b"hello"), r"b/1\.png: cannot be decoded as an image"),
    "cut-off image": (lambda f: _broken_image(f, png(0, side=999)[:300]), r"b/1\.png: cannot be decoded as an image"),
    "bomb": (_bomb, r"b/1\.png: image too large"),
    "postscript": (lambda f: _broken_image(f, b"%!PS-Adobe-3.0 EPSF-3.0\n"), r"b/1\.png: cannot be decoded"),
    "no label column": (lambda f: _text(f, "s.csv", "path,kind\na,b\n"), r"s\.csv: expected a column label or class"),
    "no path column": (lambda f: _text(f, "s.csv", "label\n1\n"), r"s\.csv: expected a column path or file"),
    "semicolons": (lambda f: _text(f, "s.csv", "path;label\na;1\n"), r"s\.csv: .*separated by semicolons, write"),
    "tabs": (lambda f: _text(f, "s.csv", "path\tlabel\na\t1\n"), r"s\.csv: .*separated by tabs, write"),
    "no header": (lambda f: _text(f, "s.csv", "a.png,1\nb.png,0\n"), r"s\.csv: .*first row has to name the columns"),
    "endless header": (lambda f: _text(f, "s.csv", "a" * 5000), r"s\.csv: .*first row has to name the columns"),
    "empty csv": (lambda f: _text(f, "s.csv", ""), r"s\.csv: expected a column path"),
    "header only": (lambda f: _text(f, "s.csv", "path,label\n"), r"s\.csv: holds no samples"),
    "short row": (lambda f: _text(f, "s.csv", "path,label\na,1\nb\n"), r"s\.csv: row 3: expected 2 fields, got 1"),
    "empty label": (lambda f: _text(f, "s.csv", "path,label\na,1\nb,\n"), r"s\.csv: sample 2 has no label"),
    "missing": (lambda f: _text(f, "s.csv", "path,label\na,1\nb,0\n"), r"/a: no such image file \(2 of 2 are"),
    "not UTF-8": (lambda f: _text(f, "s.csv", "path,label\0").rename(f / "t.csv"), r"t\.csv: "),
    "text as parquet": (lambda f: _text(f, "s.parquet", "hello"), r"s\.parquet: not a readable \.parquet"),
    "parquet floats": (
        lambda f: parquet(f / "s.parquet", {"path": ["a", "b"], "label": [0.5, 1]}), r"integers or names, got 0\.5"
    ),
    "parquet cells": (
        lambda f: parquet(f / "s.parquet", {"image": [1, 2], "label": [0, 1]}), r"sample 1: expected a path or"
    ),
    "damaged parquet column": (lambda f: _broken_column(f), r"s\.parquet: its column 'image' is damaged"),
    "over-long name in csv": (
        lambda f: _text(f, "s.csv", f"path,label\n{'a' * 5000}.png,0\nb.png,1\n"), r"no such image file \(2 of 2"
    ),
    "parquet missing": (
        lambda f: parquet(f / "s.parquet", {"path": ["a", "b"], "label": [0, 1]}), r"/a: no such image file \(2 of 2"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(tmp_path: Path, case: str) -> None:
    make, message = BAD[case]
    if "parquet" in case:
        pytest.importorskip("pyarrow")
    with pytest.raises(SamplesError, match=message) as caught:
        load_images(make(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_damage_is_never_a_traceback(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for name in ("x.npz", "x.csv", "x.parquet"):
            (Path(folder) / name).write_bytes(content)
            with pytest.raises(OnnxrayError):
                load_images(Path(folder) / name)


def test_limit_below_two(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="at least 2 pictures, got 1"):
        load_images(npz(tmp_path, x=GREY, y=LABELS), limit=1)
