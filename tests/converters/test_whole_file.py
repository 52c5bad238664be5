"""Files that are there as a whole or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from onnxray.converters.whole_file import replace_file


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / f"{'é' * 120}.json"  # 245 bytes of the 255 that a name may have
    path.write_bytes(b"old")
    replace_file(path, [b"ne", b"w"])
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        assert len(list(tmp_path.iterdir())) == 2
        raise OSError("no space")

    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="no space"):
        replace_file(path, pieces())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="rights as on POSIX")
def test_the_rights_are_those_of_any_new_file(tmp_path: Path) -> None:
    replace_file(tmp_path / "one", [b""])
    (tmp_path / "other").touch()
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "other").stat().st_mode
